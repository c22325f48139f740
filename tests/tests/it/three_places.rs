//! Adding a rule touches three hand-written places.
//!
//! The places of a rule are counted like this. All hand-written files of the workspace are
//! searched (Rust, Protocol Buffers, scenarios; not the generated vectors) for the three forms in
//! which code can name a rule: the path `module::verb`, the variant or type `Verb` as a word, and
//! for scenarios the file name. What remains after the users that need no change for a new rule
//! (see [`USERS`]) must be exactly:
//!
//! 1. the rule's own file, `contracts/src/rules/<module>/<verb>.rs`;
//! 2. the table: its line in `rules/mod.rs`, with the `pub mod` line of the module, which the
//!    compiler demands together with it;
//! 3. the scenario, `tests/scenarios/<module>/<verb>.scn`.

use std::collections::BTreeSet;

use cets_contracts::rules::RULES;
use cets_tests::workspace::{self, Source};

/// Files that may name single rules because they are about them, not about rules as such: a new
/// rule compiles, runs, is served, stored, shown, proven and audited without a word there.
///
/// Other rules and their tests build on a rule; the command line has convenience commands and the
/// demonstration; tests and benchmarks use rules to set something up; the model judges them.
const USERS: &[(&str, &str)] = &[
    ("contracts/src/rules/", "other rules"),
    ("contracts/src/invariants.rs", "what single rules promise of the state"),
    ("contracts/src/audit/", "tests within the audit"),
    ("contracts/examples/", "benchmarks"),
    ("cli/examples/", "benchmarks"),
    ("cli/src/certificates/", "certificates of single rules"),
    ("cli/src/client/", "proofs of what single rules changed"),
    ("cli/src/commands/", "convenience commands"),
    ("cli/src/orders/", "an order is proposed instead of sent"),
    ("cli/src/demo/", "the demonstration"),
    ("cli/tests/", "tests of the commands"),
    ("node/tests/", "tests of the node"),
    ("tests/src/", "model, workload and cluster tests"),
    ("tests/tests/", "integration tests"),
];

/// Parts of the machinery, where no rule may ever be named.
const MACHINERY: &[&str] = &[
    "contracts/src/block/",
    "contracts/src/state/",
    "contracts/src/tx/",
    "contracts/src/tree/",
    "contracts/src/log/",
    "contracts/src/proof/",
    "contracts/src/types/",
    "consensus/src/",
    "node/src/",
    "node/api/",
];

#[test]
fn adding_a_rule_touches_three_hand_written_places() {
    let sources = workspace::sources(&["rs", "proto", "scn"]);
    for rule in RULES {
        let own = format!("contracts/src/rules/{}/{}.rs", rule.module, rule.name);
        let scenario = format!("tests/scenarios/{}/{}.scn", rule.module, rule.name);
        let module = format!("contracts/src/rules/{}/mod.rs", rule.module);
        let table = "contracts/src/rules/mod.rs".to_owned();
        let mut places = BTreeSet::new();
        for source in &sources {
            let user = USERS.iter().any(|(folder, _)| source.path.starts_with(folder));
            let place = [&own, &scenario, &module, &table].contains(&&source.path);
            if place || !user && names(source, rule.module, rule.name) {
                // The module's line stands with the table.
                places.insert(if source.path == module { &table } else { &source.path });
            }
        }
        let expected: BTreeSet<&String> = [&own, &table, &scenario].into();
        assert_eq!(places, expected, "hand-written places of {}", rule.name);
        let (line, opens) =
            (format!("{} {} =>", rule.tag, rule.name), format!("mod {};", rule.name));
        assert_eq!(lines_with(&sources, &table, &line), 1, "{}", rule.name);
        assert_eq!(lines_with(&sources, &module, &opens), 1, "{}", rule.name);
    }
    println!("{} rules, each with 3 hand-written places", RULES.len());
}

#[test]
fn the_machinery_names_no_rule() {
    for source in workspace::sources(&["rs", "proto"]) {
        if !MACHINERY.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        for rule in RULES {
            let named = names(&source, rule.module, rule.name);
            assert!(!named, "{} names {}", source.path, rule.name);
        }
    }
}

#[test]
fn the_search_finds_a_rule_where_one_is_named() {
    let source = |text: &str| Source { path: "node/src/x.rs".to_owned(), text: text.to_owned() };
    for text in ["use rules::accounts::open_account::OpenAccount;", "Payload::OpenAccount(_) =>"] {
        assert!(names(&source(text), "accounts", "open_account"), "{text}");
    }
    assert!(!names(&source("fn open_account() {} // OpenAccount"), "accounts", "open_account"));
}

/// Whether code outside tests names a rule by its path or as a variant of an order or event.
fn names(source: &Source, module: &str, verb: &str) -> bool {
    let lines: Vec<&str> = source.lines_without_tests().collect();
    let outside = Source { path: source.path.clone(), text: lines.join("\n") };
    let code = outside.code();
    let camel: String = verb.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let path = format!("{module}::{verb}");
    let variants = [format!("Payload::{camel}"), format!("Event::{camel}")];
    let message = format!("message {camel} ");
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let word = |text: &str| {
        code.match_indices(text).any(|(at, _)| !code[at + text.len()..].starts_with(part))
    };
    word(&path) || variants.iter().any(|variant| word(variant)) || code.contains(&message)
}

/// Lines of a file that contain a text, comments left out.
fn lines_with(sources: &[Source], path: &str, text: &str) -> usize {
    let source = sources.iter().find(|source| source.path == path).unwrap();
    let code = source.lines_without_tests().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| line.contains(text)).count()
}
