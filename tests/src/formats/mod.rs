//! The worked examples of `docs/formats`, made by the code that the pages describe.
//!
//! A page holds an example between `<!-- example NAME -->` and `<!-- end -->`. A test compares
//! what stands there with what the code makes; `cargo bless-formats` writes it anew.

mod examples;
mod layout;
mod pages;
mod proof_examples;

pub use examples::all;
pub use layout::{Layout, line};
pub use pages::{Page, differences, pages, samples, write};
