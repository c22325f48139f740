//! The reference of errors, generated from the tables of the program.

use std::fmt::Write as _;
use std::path::Path;

use cets_contracts::rules::{RULES, RejectCode, reject_codes};
use cets_contracts::tx::ENVELOPE_CODES;
use cets_node::rpc::NODE_CODES;

const FILE: &str = "docs/reference/errors.md";

const HEAD: &str = "\
# Errors

Every refusal has a number, a name, a sentence and a hint, in English and in Chinese. The command
line shows them; programs read them from the trailer `cets-error` of a gRPC status (JSON: `kind`,
`number`, `name`, `sentence`, `hint`, `article`). A refusal by a rule stands in the receipt of the
transaction with its number and its facts, for ever and provably; the words are made from them when
they are shown.

This page is generated: `BLESS=1 cargo test --release -p cets-node --test it errors`.
";

/// Sections by the numbers they hold.
const SECTIONS: &[(u16, &str, &str)] = &[
    (1, "Envelope", "The transaction may stand in no block and was not taken."),
    (100, "Node", "The node did not answer the request."),
    (1_000, "Rules: common", "Several rules refuse for these reasons. Nothing changed."),
    (2_000, "Rules: governance", ""),
    (3_000, "Rules: accounts", ""),
    (4_000, "Rules: settlement", ""),
    (5_000, "Rules: allowances", ""),
    (6_000, "Rules: compliance", ""),
    (7_000, "Rules: reductions", ""),
    (8_000, "Rules: enforcement", ""),
];

fn reference() -> String {
    let mut codes: Vec<&RejectCode> = Vec::new();
    codes.extend(ENVELOPE_CODES.iter().copied());
    codes.extend(NODE_CODES.iter().copied());
    codes.extend(reject_codes());
    codes.sort_by_key(|code| code.number);
    let mut text = HEAD.to_owned();
    let mut sections = SECTIONS.iter().peekable();
    for code in codes {
        while let Some((_, title, about)) = sections.next_if(|(first, ..)| *first <= code.number) {
            write!(text, "\n## {title}\n").unwrap();
            if !about.is_empty() {
                write!(text, "\n{about}\n").unwrap();
            }
        }
        write_code(&mut text, code);
    }
    text
}

fn write_code(text: &mut String, code: &RejectCode) {
    let RejectCode { number, name, article, en, zh, hint_en, hint_zh, .. } = code;
    let raised: Vec<String> = RULES
        .iter()
        .filter(|rule| rule.rejects.iter().any(|own| own.number == *number))
        .map(|rule| format!("`{}`", rule.name))
        .collect();
    let raised = if raised.is_empty() {
        String::new()
    } else {
        format!(" Raised by {}.", raised.join(", "))
    };
    write!(text, "\n### {number} {name}\n\n{article}.{raised}\n\n").unwrap();
    write!(text, "- {en} *{hint_en}*\n- {zh} *{hint_zh}*\n").unwrap();
}

#[test]
fn the_reference_of_errors_is_what_the_program_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let expected = reference();
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{FILE} is out of date; look at it and run this with BLESS=1");
}

#[test]
fn no_two_errors_share_a_number_or_a_name() {
    let all = || ENVELOPE_CODES.iter().chain(NODE_CODES).copied().chain(reject_codes());
    let numbers: std::collections::BTreeSet<u16> = all().map(|code| code.number).collect();
    assert_eq!(numbers.len(), all().count());
    let names: std::collections::BTreeSet<&str> = all().map(|code| code.name).collect();
    assert_eq!(names.len(), all().count());
}
