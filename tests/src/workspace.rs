//! The source tree as the tests read it.

use std::path::{Path, PathBuf};

/// Folders of the packages, from low to high.
pub const PACKAGES: &[&str] = &["contracts", "consensus", "node", "cli", "tests"];

/// Root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Says why a test does not run; where nothing may be skipped, that is a failure.
///
/// # Panics
/// When `NOTHING_SKIPPED` is set.
pub fn skip(reason: &str) {
    let allowed = std::env::var_os("NOTHING_SKIPPED").is_none();
    assert!(allowed, "{reason}, and NOTHING_SKIPPED is set");
    println!("skipped: {reason}");
}

/// A text file of the workspace.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Lines that are no tests: all up to `#[cfg(test)]` at the left margin; none in test files.
    pub fn lines_without_tests(&self) -> impl Iterator<Item = &str> {
        let tests = self.path.contains("/tests/") && !self.path.starts_with("tests/src/")
            || self.path.ends_with("/tests.rs");
        self.text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(move |_| !tests)
    }

    /// The text without `//` comments, so that words in prose do not count.
    pub fn code(&self) -> String {
        let lines = self.text.lines().map(|line| match line.find("//") {
            Some(at) if !line[..at].contains('"') => &line[..at],
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// All files of the packages with one of these extensions, sorted by path.
pub fn sources(extensions: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    for package in PACKAGES {
        walk(&root, &root.join(package), extensions, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no source file under {}", root.display());
    found
}

fn walk(root: &Path, folder: &Path, extensions: &[&str], found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                walk(root, &path, extensions, found);
            }
        } else if path.extension().is_some_and(|end| extensions.iter().any(|e| *e == end)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}
