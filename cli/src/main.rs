//! The `cets` program; everything is in the library.

use std::io::{stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cets_cli::run(std::env::args_os(), &mut stdout(), &mut stderr()))
}
