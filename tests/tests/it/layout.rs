//! The arrows between packages, and which package may name which foreign crate.

use std::collections::{BTreeMap, BTreeSet};

use cets_tests::{licences, workspace};

/// Arrows of the design; `cets-tests` stands above all and may use everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("cets-contracts", &[]),
    ("cets-consensus", &["cets-contracts"]),
    ("cets-api", &[]),
    ("cets-node", &["cets-api", "cets-consensus", "cets-contracts"]),
    ("cets-cli", &["cets-api", "cets-contracts"]),
    ("cets-tests", &["cets-api", "cets-cli", "cets-consensus", "cets-contracts", "cets-node"]),
];

/// Foreign crates (by the start of their name), the packages and the folders that may name them.
const FOREIGN: &[(&str, &[&str], &[&str])] = &[
    ("rocksdb", &["cets-node"], &["node/src/store/", "node/tests/it/vandal.rs"]),
    ("tonic", &["cets-api", "cets-cli", "cets-node", "cets-tests"], &["cli/", "node/", "tests/"]),
    ("malachitebft", &["cets-consensus"], &["consensus/"]),
    ("arc-malachitebft", &["cets-consensus"], &["consensus/"]),
    ("libp2p", &["cets-node"], &["node/"]),
];

#[test]
fn packages_depend_on_each_other_only_along_the_arrows() {
    let metadata = licences::metadata();
    let members: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let known: BTreeSet<String> = arrows.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(members, known, "a package of the workspace is not in ARROWS");
    for package in metadata.workspace_packages() {
        for dependency in package.dependencies.iter().filter(|d| members.contains(&d.name)) {
            assert!(
                arrows[package.name.as_str()].contains(&dependency.name.as_str()),
                "{} -> {} is no arrow of the design",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn foreign_crates_are_depended_on_where_the_design_says() {
    for package in licences::metadata().workspace_packages() {
        for dependency in &package.dependencies {
            for (start, packages, _) in FOREIGN {
                assert!(
                    !dependency.name.starts_with(start)
                        || packages.contains(&package.name.as_str()),
                    "{} may not depend on {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn foreign_crates_are_named_where_the_design_says() {
    for source in workspace::sources(&["rs"]) {
        let code = source.code();
        for (start, _, folders) in FOREIGN {
            let named = ["::", "_app_channel", " as "]
                .iter()
                .any(|end| names_crate(&code, &format!("{}{end}", start.replace('-', "_"))));
            let allowed = folders.iter().any(|folder| source.path.starts_with(folder));
            assert!(!named || allowed, "{} names {start}", source.path);
        }
    }
}

/// Whether a path starts with the crate: the letter before is no part of a name.
fn names_crate(code: &str, start: &str) -> bool {
    code.match_indices(start).any(|(at, _)| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_\":/".contains(before))
    })
}

#[test]
fn contracts_depends_on_no_runtime() {
    let metadata = licences::metadata();
    let contracts = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name == "cets-contracts")
        .unwrap();
    let forbidden =
        ["tokio", "tracing", "log", "rand", "getrandom", "rayon", "futures", "chrono", "time"];
    for dependency in &contracts.dependencies {
        assert!(!forbidden.contains(&dependency.name.as_str()), "contracts -> {}", dependency.name);
    }
}

#[test]
fn every_licence_of_the_dependency_graph_is_allowed() {
    let violations = licences::violations(&licences::metadata(), &licences::allowed());
    assert!(violations.is_empty(), "{violations:#?}");
}
