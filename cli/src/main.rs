//! The `cets` program; everything is in the library.

use std::io::{stderr, stdout};
use std::process::ExitCode;

/// Records are many small pieces of memory, made on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cets_cli::run(std::env::args_os(), &mut stdout(), &mut stderr()))
}
