//! Governance: the business date, parameters, validators and tasks.

pub mod advance_business_date;
pub mod set_parameter;
pub mod set_validators;
