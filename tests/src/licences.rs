//! Licences of the dependency graph, held against the allow list of `.deny.toml`.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, MetadataCommand};

/// Why a licence expression cannot be satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LicenceError {
    /// No choice within the expression is allowed.
    NotAllowed,
    /// The text is no SPDX expression.
    Syntax,
}

/// The package graph as it is built for this machine.
pub fn metadata() -> Metadata {
    let host = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
    MetadataCommand::new()
        .manifest_path(crate::workspace::root().join("Cargo.toml"))
        .other_options(vec![format!("--filter-platform={host}-unknown-linux-gnu")])
        .exec()
        .expect("cargo metadata reads the workspace")
}

/// The allow list of `.deny.toml`.
pub fn allowed() -> BTreeSet<String> {
    let path = crate::workspace::root().join(".deny.toml");
    let table: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let list = table["licenses"]["allow"].as_array().expect("licenses.allow is a list");
    list.iter().map(|entry| entry.as_str().expect("a licence is a text").to_owned()).collect()
}

/// Packages whose licence cannot be satisfied, as `name version: expression`.
pub fn violations(metadata: &Metadata, allowed: &BTreeSet<String>) -> Vec<String> {
    let used: BTreeSet<_> =
        metadata.resolve.iter().flat_map(|graph| &graph.nodes).map(|node| &node.id).collect();
    let packages = metadata.packages.iter().filter(|package| used.contains(&package.id));
    packages
        .filter_map(|package| {
            let expression = package.license.as_deref().unwrap_or_default();
            let error = satisfy(expression, allowed).err()?;
            Some(format!("{} {}: {expression:?} {error:?}", package.name, package.version))
        })
        .collect()
}

/// Whether an SPDX expression (or the older `A/B`) has a choice within the allowed licences.
pub fn satisfy(expression: &str, allowed: &BTreeSet<String>) -> Result<(), LicenceError> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    let verdict = parser.any().ok_or(LicenceError::Syntax)?;
    match (parser.words, verdict) {
        ([], true) => Ok(()),
        ([], false) => Err(LicenceError::NotAllowed),
        _ => Err(LicenceError::Syntax),
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.take("OR") {
            verdict |= self.all()?;
        }
        Some(verdict)
    }

    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.any()?;
            return self.take(")").then_some(verdict);
        }
        let (name, rest) = self.words.split_first()?;
        if ["OR", "AND", "WITH", ")"].contains(name) {
            return None;
        }
        self.words = rest;
        let mut licence = (*name).to_owned();
        if self.take("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            licence = format!("{licence} WITH {exception}");
        }
        Some(self.allowed.contains(&licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(expression: &str) -> Result<(), LicenceError> {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        satisfy(expression, &allowed.map(str::to_owned).into())
    }

    #[test]
    fn an_expression_needs_one_allowed_choice() {
        for good in ["MIT", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND Apache-2.0", "MIT/GPL-3.0"] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH Other", "GPL-3.0/AGPL-3.0"] {
            assert_eq!(verdict(bad), Err(LicenceError::NotAllowed), "{bad}");
        }
        for broken in ["", "MIT OR", "(MIT", "MIT MIT", "OR MIT", "MIT WITH"] {
            assert_eq!(verdict(broken), Err(LicenceError::Syntax), "{broken}");
        }
    }
}
