//! How the code reads, as far as a program can see it.

use std::collections::{BTreeMap, BTreeSet};

use cets_tests::workspace::{self, Source};

/// Most lines of a file, tests not counted.
const FILE_LINES_MAX: usize = 500;
/// Most lines of a function, tests not counted.
const FUNCTION_LINES_MAX: usize = 70;
/// Most characters of a line.
const LINE_COLUMNS_MAX: usize = 100;

/// Files over the limit, with their length: entries may shrink and go, never grow or come.
const FILES_OVER: &[(&str, usize)] = &[];
/// Functions over the limit, as `path function`, with their length; as above.
const FUNCTIONS_OVER: &[(&str, usize)] = &[];

/// Words that mark unfinished work.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "TODO", "FIXME", "XXX", "HACK", "dbg!"];

/// What `contracts` may not name: clocks, files, threads, hash order, floats, output, entropy. The
/// names of crates and modules stand here because the compiler's ban lists single functions.
const IMPURE: &[&str] = &[
    "std::time",
    "std::fs",
    "std::env",
    "std::thread",
    "std::net",
    "std::process",
    "std::io",
    "std::sync::atomic",
    "Instant",
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "SystemTime",
    "HashMap",
    "HashSet",
    "f32",
    "f64",
    "async",
    "println",
    "eprintln",
    "thread_local",
    "getrandom",
    "rand",
    "OsRng",
    "ThreadRng",
];

/// Words above that a file must name: a serializer names floats in order to refuse them.
const IMPURE_ALLOWED: &[(&str, &[&str])] = &[("contracts/src/block/parties.rs", &["f32", "f64"])];

/// Module files that still hold logic; may only shrink.
const LOGIC_IN_MODULES: &[&str] = &[];

#[test]
fn files_are_short() {
    let lengths = workspace::sources(&["rs"])
        .iter()
        .map(|source| (source.path.clone(), source.lines_without_tests().count()))
        .collect();
    hold_ratchet("file", FILE_LINES_MAX, FILES_OVER, &lengths);
}

#[test]
fn functions_are_short() {
    let mut lengths = BTreeMap::new();
    for source in workspace::sources(&["rs"]) {
        for (function, length) in functions(&source) {
            let longest = lengths.entry(format!("{} {function}", source.path)).or_insert(0);
            *longest = length.max(*longest);
        }
    }
    hold_ratchet("function", FUNCTION_LINES_MAX, FUNCTIONS_OVER, &lengths);
}

#[test]
fn lines_are_short() {
    let mut wrong = Vec::new();
    for source in workspace::sources(&["rs", "proto"]) {
        for (number, line) in (1..).zip(source.text.lines()) {
            let columns = line.chars().count();
            let row_of_table = line.starts_with("//! |") || line.trim_start().starts_with("/// |");
            if !row_of_table && columns > LINE_COLUMNS_MAX {
                wrong.push(format!("{}:{number}: {columns} columns", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_marked_unfinished() {
    for source in workspace::sources(&["rs", "proto", "toml", "md", "scn"]) {
        if source.path == "tests/tests/it/tidy.rs" {
            continue;
        }
        for word in UNFINISHED {
            assert!(!has_word(&source.text, word), "{} has {word}", source.path);
        }
    }
}

#[test]
fn contracts_is_pure() {
    for source in workspace::sources(&["rs"]) {
        if !source.path.starts_with("contracts/src/") {
            continue;
        }
        let code = source.code();
        let allowed: &[&str] =
            IMPURE_ALLOWED.iter().find(|(path, _)| *path == source.path).map_or(&[], |(_, w)| *w);
        for word in IMPURE.iter().filter(|word| !allowed.contains(word)) {
            assert!(!has_word(&code, word), "{} names {word}", source.path);
        }
    }
}

#[test]
fn domain_strings_are_unique_and_stand_in_one_file() {
    let mut seen = BTreeSet::new();
    for source in workspace::sources(&["rs"]) {
        for (at, _) in source.text.match_indices("b\"cets/v1/") {
            let text = source.text[at..].split('"').nth(1).unwrap();
            assert_eq!(source.path, "contracts/src/domains.rs", "{text} stands elsewhere");
            assert!(seen.insert(text.to_owned()), "{text} stands twice");
        }
    }
    assert!(seen.len() > 10);
}

#[test]
fn library_and_module_files_hold_no_logic() {
    for source in workspace::sources(&["rs"]) {
        let name = source.path.rsplit('/').next().unwrap();
        if !["lib.rs", "mod.rs"].contains(&name) {
            continue;
        }
        let starts = ["fn ", "pub fn ", "impl ", "pub(crate) fn "];
        let logic = source
            .lines_without_tests()
            .find(|line| starts.iter().any(|start| line.trim_start().starts_with(start)));
        let listed = LOGIC_IN_MODULES.contains(&source.path.as_str());
        assert_eq!(logic.is_some(), listed, "{}: {logic:?}", source.path);
    }
}

/// Every thing over the limit is in the list with at least its length, and the list has no more.
fn hold_ratchet(
    what: &str,
    limit: usize,
    over: &[(&str, usize)],
    lengths: &BTreeMap<String, usize>,
) {
    let over: BTreeMap<&str, usize> = over.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, length) in lengths {
        match over.get(name.as_str()) {
            None if *length > limit => wrong.push(format!("{name}: {length} lines, max {limit}")),
            Some(allowed) if length > allowed => {
                wrong.push(format!("{name}: grew to {length} lines"));
            }
            Some(_) if *length <= limit => {
                wrong.push(format!("{name}: {what} is short now, take it off the list"));
            }
            _ => {}
        }
    }
    for name in over.keys().filter(|name| !lengths.contains_key(**name)) {
        wrong.push(format!("{name}: no such {what}, take it off the list"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Names and lengths of functions; relies on rustfmt: a function ends at its own indentation.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.lines_without_tests().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indentation}}}");
        let length = lines[start..].iter().position(|line| **line == closing);
        found.push((name, length.map_or(1, |length| length + 1)));
    }
    found
}

/// The name of the function that a line starts, unless it ends on the same line.
fn function_name(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    let ends_here = line.ends_with('}') || line.ends_with(';');
    (!ends_here).then(|| name.split(['(', '<']).next().unwrap().to_owned())
}

/// Whether a text has a word that is not part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[test]
fn the_checks_see_what_they_look_for() {
    let source = |text: &str| Source { path: "x/src/y.rs".to_owned(), text: text.to_owned() };
    let text =
        "impl X {\n    pub const fn long(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n}\n";
    assert_eq!(functions(&source(text)), [("long".to_owned(), 5)]);
    let tested = "fn a() {\n}\n#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(source(tested).lines_without_tests().count(), 2);
    assert!(has_word("a f64;", "f64") && !has_word("a_f64", "f64"));
    assert!(!source("let a = 1; // f64").code().contains("f64"));
    assert!(has_word("use rand::Rng;", "rand") && !has_word("use rand_chacha::X;", "rand"));
    let lengths = BTreeMap::from([("a".to_owned(), 71)]);
    assert!(std::panic::catch_unwind(|| hold_ratchet("f", 70, &[], &lengths)).is_err());
    hold_ratchet("f", 70, &[("a", 71)], &lengths);
}
