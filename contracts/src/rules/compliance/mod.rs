//! Compliance: verified emissions, surrender, offset.
