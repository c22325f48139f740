//! Certified voluntary reductions: projects and their units.

pub mod issue_ccer;
pub mod register_project;
