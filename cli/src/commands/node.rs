//! `cets node`: the folder of a node on this machine, through the node's own program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};

use crate::demo::runner::processes::find_program;
use crate::error::{CliError, ErrorKind};
use crate::output::{OutputForm, Report};
use crate::session::Session;
use crate::text;
use crate::text::Lang;

/// Exit code of the program for a damaged folder.
const DAMAGED: i32 = 5;

/// What to do with the folder of a node.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Checks every byte of a stopped node's folder and names what is damaged
    Check(CheckArgs),
    /// Moves aside what is damaged, fetches the ledger from the other nodes, says when it is done
    Repair(RepairArgs),
}

/// Arguments of `cets node check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Data folder, as `data` in the configuration
    #[arg(long, value_name = "DIR", required_unless_present = "config", conflicts_with = "config")]
    data: Option<PathBuf>,
    /// Configuration file of the node; its genesis document and keys are checked as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Genesis document that the ledger must start from
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Executes every transaction again besides and compares every row
    #[arg(long)]
    deep: bool,
}

/// Arguments of `cets node repair`.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Configuration file of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Moves the ledger aside even if the check finds it sound
    #[arg(long)]
    force: bool,
    /// Moves aside and prepares only; the node fetches the ledger when it is started
    #[arg(long)]
    prepare_only: bool,
}

/// Runs `cets node`.
pub fn run(command: &NodeCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    let mut program = Program::new(session.lang())?;
    match command {
        NodeCommand::Check(args) => {
            program.command("check");
            program.path("--data", args.data.as_deref());
            program.path("--config", args.config.as_deref());
            program.path("--genesis", args.genesis.as_deref());
            program.flag("--deep", args.deep);
            program.flag("--json", session.form() == OutputForm::Json);
        }
        NodeCommand::Repair(args) => {
            program.command("repair");
            program.path("--config", Some(&args.config));
            program.flag("--force", args.force);
            program.flag("--prepare-only", args.prepare_only);
        }
    }
    program.run()
}

/// The node's program with its arguments.
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    lang: Lang,
}

impl Program {
    fn new(lang: Lang) -> Result<Self, CliError> {
        Ok(Self { path: find_program()?, arguments: Vec::new(), lang })
    }

    fn command(&mut self, name: &str) {
        let lang = match self.lang {
            Lang::Zh => "zh",
            Lang::En => "en",
        };
        self.arguments.extend([name, "--lang", lang].map(OsString::from));
    }

    fn path(&mut self, name: &str, path: Option<&Path>) {
        if let Some(path) = path {
            self.arguments.extend([name.into(), path.as_os_str().to_owned()]);
        }
    }

    fn flag(&mut self, name: &str, set: bool) {
        self.arguments.extend(set.then(|| OsString::from(name)));
    }

    /// Runs it; its progress and errors are seen as they come, its answer is the report.
    fn run(self) -> Result<Report, CliError> {
        let ran = Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| CliError::file(&self.path, &error))?;
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        match ran.status.code() {
            Some(0) => Ok(Report::raw(printed)),
            Some(DAMAGED) => Ok(Report::raw(printed).failing(ErrorKind::Damaged)),
            _ => Err(CliError::user(text!(
                "the node's program could not do it; its message stands above",
                "节点程序未能完成；其信息见上"
            ))),
        }
    }
}
