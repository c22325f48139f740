//! A seeded workload of valid and invalid transactions, run beside the model.

mod choice;
mod draft;
mod holders;
mod institutions;
mod run;

pub use choice::*;
pub use draft::*;
pub use run::*;
