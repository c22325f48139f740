//! Writes the frozen vectors anew: `cargo bless`.
//!
//! A change in them is a change of the ledger's bytes, roots or answers. Look at the difference
//! before you commit it.

use std::process::ExitCode;

use cets_tests::vectors;

fn main() -> ExitCode {
    let mut changed = 0u32;
    for (path, text) in vectors::all() {
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("wrote {}", path.display());
        changed = changed.saturating_add(1);
    }
    println!("{changed} vector files changed");
    ExitCode::SUCCESS
}
