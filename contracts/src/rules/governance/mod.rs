//! Governance: the business date, parameters, validators, and tasks that wait for approval.

pub mod advance_business_date;
pub mod approve;
pub mod propose;
pub mod reject;
pub mod set_parameter;
pub mod set_validators;
