//! What the README says can be pasted, can be pasted.

use std::process::{Command, Stdio};

use cets_tests::workspace;

/// The session's lines after those that build the programs.
fn session() -> String {
    let readme = std::fs::read_to_string(workspace::root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("## A session").unwrap();
    let block = rest.split("```bash\n").nth(2).unwrap();
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn the_session_of_the_readme_runs_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let programs = std::env::current_exe().unwrap();
    let programs = programs.parent().unwrap().parent().unwrap();
    assert!(programs.join("cetsd").exists(), "first: cargo build --release --bin cets --bin cetsd");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{}", session());
    let run = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}\n{complained}");
    for expected in
        ["CN-KEE-0000000002-16", "Verified with the genesis file alone.", "The history holds."]
    {
        assert!(said.contains(expected), "{expected} is missing in\n{said}");
    }
}
