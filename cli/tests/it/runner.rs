//! Runs the program in an own home directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What one run printed and how it ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// A home directory with a passphrase file.
pub struct Desk {
    folder: tempfile::TempDir,
}

pub const PASSPHRASE: &str = "correct horse battery";

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pass"), format!("{PASSPHRASE}\n")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Runs `cets` with the words of a line; English, this home, no terminal.
    pub fn run(&self, line: &str) -> Ran {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_words(&self, words: &[&str]) -> Ran {
        let output = self.command(words).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(words);
        for (name, _) in std::env::vars() {
            if name.starts_with("CETS_") || name.starts_with("LC_") || name == "LANG" {
                command.env_remove(name);
            }
        }
        command.env("CETS_HOME", self.home()).current_dir(self.folder.path());
        command
    }

    /// Runs and demands success.
    pub fn good(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
        ran
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cets"))
}

/// Says why a test does not run; where nothing may be skipped, that is a failure.
pub fn skip(reason: &str) {
    let allowed = std::env::var_os("NOTHING_SKIPPED").is_none();
    assert!(allowed, "{reason}, and NOTHING_SKIPPED is set");
    println!("skipped: {reason}");
}
