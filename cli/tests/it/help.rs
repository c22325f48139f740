//! Help texts and completions.

use clap::Command;

use cets_cli::app::command_line;
use cets_cli::text::Lang;

use crate::runner::Desk;

fn all_help(command: &mut Command, path: &str, text: &mut String) {
    let help = command.render_help();
    text.push_str(&format!("## {path}\n\n{help}\n"));
    let names: Vec<String> = command
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .filter(|name| name != "help")
        .collect();
    for name in names {
        let inner = command.find_subcommand_mut(&name).unwrap();
        all_help(inner, &format!("{path} {name}"), text);
    }
}

/// Compares with the frozen text; `BLESS=1` writes it anew.
fn snapshot(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let frozen = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(frozen == text, "help differs from {name}; look at it and run the test with BLESS=1");
}

#[test]
fn help_is_as_frozen_in_both_languages() {
    for (lang, name) in [(Lang::En, "help.en.txt"), (Lang::Zh, "help.zh.txt")] {
        let mut command = command_line(lang).term_width(100);
        command.build();
        let mut text = String::new();
        all_help(&mut command, "cets", &mut text);
        snapshot(name, &text);
    }
}

#[test]
fn help_and_version_are_answers() {
    let desk = Desk::new();
    assert!(desk.good("--help").out.contains("Usage: cets"));
    assert!(desk.good("--help --lang zh").out.contains("用法：cets"));
    assert!(desk.good("key --help --lang zh").out.contains("用法：cets key"));
    assert!(desk.good("--version").out.starts_with("cets "));
    assert!(desk.good("--version --lang zh").out.starts_with("cets "));
}

#[test]
fn completions_exist_for_every_shell() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(desk.good(&format!("completions {shell}")).out.contains("cets"), "{shell}");
    }
}

/// Pages whose commands people paste.
const PAGES: &[(&str, &str)] = &[
    ("docs/auditing.md", include_str!("../../../docs/auditing.md")),
    ("docs/holding.md", include_str!("../../../docs/holding.md")),
    ("docs/operating.md", include_str!("../../../docs/operating.md")),
];

/// Commands of `cets` in the blocks of a page, without comments and continued lines joined.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```").skip(1).step_by(2);
    let joined = blocks.flat_map(|block| {
        let block = block.replace("\\\n", " ");
        block.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    joined
        .map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned())
        .filter(|line| line.starts_with("cets "))
        .collect()
}

#[test]
fn every_command_of_the_pages_exists_with_its_options() {
    let mut command = command_line(Lang::En);
    command.build();
    for (name, page) in PAGES {
        let lines = commands(page);
        assert!(lines.len() > 5, "{name}: {lines:?}");
        for line in lines {
            let mut found = &command;
            for word in line.split_whitespace().skip(1) {
                if let Some(option) = word.strip_prefix("--") {
                    let option = option.split('=').next().unwrap_or_default();
                    let known = found.get_arguments().chain(command.get_arguments());
                    let known = known.filter_map(clap::Arg::get_long).any(|one| one == option);
                    assert!(known, "{name}: `{line}` has the unknown option --{option}");
                } else if let Some(inner) = found.find_subcommand(word) {
                    found = inner;
                } else {
                    let more = found.has_subcommands() && !word.starts_with('-');
                    assert!(!more || found.get_name() == "cets", "{name}: `{line}`: no {word}");
                }
            }
            assert!(found.get_name() != "cets", "{name}: `{line}` names no command");
        }
    }
}
