//! The program as people and scripts meet it: command lines in, output and exit codes out.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod audits;
mod contexts;
mod demos;
mod exit_codes;
mod help;
mod keys;
mod networks;
mod offline;
mod proofs;
mod runner;
mod small_ledger;

#[test]
fn every_file_of_this_folder_is_listed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else {
            continue;
        };
        assert!(listed.contains(&format!("mod {module};")), "{name} is not listed in main.rs");
    }
}
