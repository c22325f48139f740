//! Help in Chinese: every command and option by its path.
//!
//! English help is the doc comment of the argument; a test demands a Chinese line for each.

use clap::{Arg, ArgAction, Command};

use crate::text::Lang;

mod chinese;

use chinese::CHINESE;

const TEMPLATE: &str = "{before-help}{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}";

/// The command line in a language.
pub fn localise(command: Command, lang: Lang) -> Command {
    match lang {
        Lang::En => command,
        Lang::Zh => in_chinese(command.disable_help_subcommand(true), ""),
    }
}

/// The Chinese line for a path such as `key new` or `key new.name`.
fn line(path: &str) -> Option<&'static str> {
    CHINESE.iter().find(|(known, _)| *known == path).map(|(_, line)| *line)
}

fn in_chinese(command: Command, path: &str) -> Command {
    let about = line(path).unwrap_or_default();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("显示帮助");
    let mut command = command
        .about(about)
        .help_template(TEMPLATE)
        .subcommand_help_heading("命令")
        .disable_help_flag(true)
        .arg(help.help_heading("选项"));
    if path.is_empty() {
        let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
        command =
            command.disable_version_flag(true).arg(version.help("显示版本").help_heading("选项"));
    }
    command = command.mut_args(|argument| {
        let id = argument.get_id().to_string();
        let heading = match (argument.is_positional(), argument.is_global_set()) {
            (true, _) => "参数",
            (_, true) => "通用选项",
            _ => "选项",
        };
        let argument = argument.help_heading(heading);
        match line(&format!("{path}.{id}")) {
            Some(line) => argument.help(line),
            None => argument,
        }
    });
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let inner_path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command.mut_subcommand(&name, |inner| in_chinese(inner, &inner_path))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::app::App;

    fn paths(command: &Command, path: &str, all: &mut BTreeSet<String>) {
        all.insert(path.to_owned());
        for argument in command.get_arguments() {
            all.insert(format!("{path}.{}", argument.get_id()));
        }
        for inner in command.get_subcommands() {
            let name = inner.get_name();
            let inner_path =
                if path.is_empty() { name.to_owned() } else { format!("{path} {name}") };
            paths(inner, &inner_path, all);
        }
    }

    #[test]
    fn every_command_and_option_has_a_chinese_line_and_no_line_is_left_over() {
        let mut expected = BTreeSet::new();
        paths(&App::command(), "", &mut expected);
        let written: BTreeSet<String> =
            CHINESE.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(written.len(), CHINESE.len(), "a path stands twice");
        let missing: Vec<_> = expected.difference(&written).collect();
        assert!(missing.is_empty(), "without a Chinese line: {missing:#?}");
        let stale: Vec<_> = written.difference(&expected).collect();
        assert!(stale.is_empty(), "lines for nothing: {stale:#?}");
    }

    #[test]
    fn the_command_line_is_sound_in_both_languages() {
        localise(App::command(), Lang::En).debug_assert();
        localise(App::command(), Lang::Zh).debug_assert();
    }
}
