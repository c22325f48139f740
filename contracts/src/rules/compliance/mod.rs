//! Compliance: verified emissions, surrender and offset.

pub mod offset;
pub mod record_verified_emissions;
pub mod surrender;
