//! Format, lints, documentation, licences and instruction counts: what must hold beside the tests.
//!
//! Everything runs in the release profile, so that nothing is compiled a second time.

use std::process::{Command, ExitCode};

use cets_tests::{licences, workspace};

/// Name of a check, and whether it holds.
type Step = (&'static str, fn() -> bool);

fn main() -> ExitCode {
    let steps: [Step; 6] = [
        ("fmt", || cargo(&["fmt", "--all", "--check"])),
        ("clippy", || {
            let what = ["clippy", "--release", "--workspace", "--all-targets", "--locked"];
            cargo(&[&what[..], &["--", "-D", "warnings"]].concat())
        }),
        ("doc", || cargo(&["doc", "--release", "--workspace", "--no-deps", "--locked"])),
        ("licences", licences_hold),
        ("instructions", instructions_as_recorded),
        ("deny", deny_where_installed),
    ];
    let mut failed = Vec::new();
    for (name, step) in steps {
        eprintln!("== {name}");
        if !step() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        eprintln!("== all checks hold");
        return ExitCode::SUCCESS;
    }
    eprintln!("== failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

fn command() -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.current_dir(workspace::root()).env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn cargo(arguments: &[&str]) -> bool {
    command().args(arguments).status().is_ok_and(|status| status.success())
}

/// Built with the whole workspace, as the tests are, so that no dependency is compiled again.
fn instructions_as_recorded() -> bool {
    let what = ["build", "--release", "--workspace", "--locked", "--bin", "instructions"];
    let program = std::env::current_exe().map(|own| own.with_file_name("instructions"));
    let ran = |program| Command::new(program).status().is_ok_and(|status| status.success());
    cargo(&what) && program.is_ok_and(ran)
}

fn licences_hold() -> bool {
    let violations = licences::violations(&licences::metadata(), &licences::allowed());
    for violation in &violations {
        eprintln!("licence not in .deny.toml: {violation}");
    }
    violations.is_empty()
}

/// cargo-deny adds its view of sources and licences where someone has installed it.
fn deny_where_installed() -> bool {
    let installed = command().args(["deny", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("cargo-deny is not installed; the licences were checked above");
        return true;
    }
    cargo(&["deny", "check", "--config", ".deny.toml", "licenses", "sources"])
}
