//! `cetsd` with one more setting, `consensus.byzantine`: a validator that misbehaves for tests.

#[path = "../main.rs"]
mod cetsd;

fn main() -> std::process::ExitCode {
    cetsd::main()
}
