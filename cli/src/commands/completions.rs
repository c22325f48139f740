//! `cets completions`: scripts that complete commands in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::app::command_line;
use crate::error::CliError;
use crate::output::Report;
use crate::text;
use crate::text::Lang;

/// Arguments of `cets completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs `cets completions`.
pub fn run(args: &CompletionsArgs) -> Result<Report, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(Lang::En), "cets", &mut script);
    String::from_utf8(script).map(Report::raw).map_err(|error| {
        CliError::bug(text!("the script is no text: {error}", "脚本不是文本：{error}"))
    })
}
