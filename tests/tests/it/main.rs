//! The one integration binary; each file of this folder is a module here.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod blame;
mod cluster;
mod determinism;
mod flips;
mod foreign_verifiers;
mod formats;
mod fuzz;
mod hostile;
mod layout;
mod live_proofs;
mod log_walk;
mod model;
mod network_config;
mod readme;
mod scenarios;
mod served_log;
mod sim;
mod three_places;
mod tidy;
mod vectors;

#[test]
fn every_file_of_this_folder_is_listed_in_main() {
    let folder = cets_tests::workspace::root().join("tests/tests/it");
    let listed = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let line = format!("\nmod {module};\n");
        assert!(module == "main" || listed.contains(&line), "{name} is not listed in main.rs");
    }
}
