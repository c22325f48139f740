//! The command line: global options, the list of nouns, and running one of them.

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands;
use crate::error::{CliError, ErrorKind};
use crate::help::localise;
use crate::output::{OutputForm, Report, json_text};
use crate::session::Session;
use crate::text;
use crate::text::{Lang, Text};

/// Wallet, officer's desk and auditor's tool of the carbon market ledger.
#[derive(Debug, Parser)]
#[command(name = "cets", version, arg_required_else_help = true, max_term_width = 100)]
pub struct App {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The noun.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Directory of config.toml and keys [default: ~/.config/cets]
    #[arg(long, global = true, env = "CETS_HOME", value_name = "DIR", hide_env = true)]
    pub home: Option<PathBuf>,
    /// Context to use instead of the current one
    #[arg(long, global = true, env = "CETS_CONTEXT", value_name = "NAME", hide_env = true)]
    pub context: Option<String>,
    /// Address of a node; may be given several times, the first that answers is used
    #[arg(
        long,
        global = true,
        env = "CETS_NODE",
        value_name = "URL",
        hide_env = true,
        value_delimiter = ','
    )]
    pub node: Vec<String>,
    /// Form of the answer on standard output
    #[arg(long, global = true, env = "CETS_OUTPUT", value_name = "FORM", hide_env = true)]
    pub output: Option<OutputForm>,
    /// Language of texts [default: from LANG]
    #[arg(long, global = true, env = "CETS_LANG", value_name = "LANG", hide_env = true)]
    pub lang: Option<Lang>,
    /// Account to read for; a token signed with its key says so [default: the context's account]
    #[arg(long = "as", global = true, env = "CETS_AS", value_name = "ACCOUNT", hide_env = true)]
    pub read_as: Option<String>,
    /// No progress and no notices on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// File whose first line is the passphrase of the keys
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Open file descriptor whose first line is the passphrase
    #[arg(long, global = true, value_name = "NUMBER", conflicts_with = "password_file")]
    pub password_fd: Option<u32>,
}

/// The nouns, one file each under `commands/`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Networks: write genesis, keys and configurations
    #[command(subcommand)]
    Network(commands::network::NetworkCommand),
    /// Keys: make, list, show, import, assign
    #[command(subcommand)]
    Key(commands::key::KeyCommand),
    /// Contexts: which ledger, which node, which account
    #[command(subcommand)]
    Context(commands::context::ContextCommand),
    /// Accounts: show, list
    #[command(subcommand)]
    Account(commands::account::AccountCommand),
    /// Units of an account, range by range
    Holdings(commands::holdings::HoldingsArgs),
    /// Moves units to another account
    Transfer(commands::units::TransferArgs),
    /// Surrenders allowances for a compliance year
    Surrender(commands::units::ComplianceArgs),
    /// Offsets part of an obligation with certified voluntary reductions
    Offset(commands::units::ComplianceArgs),
    /// Cancels units for good, of the holder's own will
    Cancel(commands::units::CancelArgs),
    /// Issues allowances by an allocation table
    Issue(commands::issue::IssueArgs),
    /// Freezes an account, or units of it, by order of a court or an authority
    Freeze(commands::freeze::FreezeArgs),
    /// Lifts a freeze
    Unfreeze(commands::freeze::UnfreezeArgs),
    /// Tasks: orders that wait for other people's approval
    #[command(subcommand)]
    Task(commands::task::TaskCommand),
    /// Business date: show, advance
    #[command(subcommand)]
    Date(commands::date::DateCommand),
    /// Parameters that the law leaves to an authority: list, set
    #[command(subcommand)]
    Parameter(commands::parameter::ParameterCommand),
    /// Issued, held and ended units of each instrument
    Supply(commands::market::SupplyArgs),
    /// Verified emissions and what was done about them
    Obligation(commands::market::ObligationArgs),
    /// Settled batches of an exchange
    Settlement(commands::market::SettlementArgs),
    /// Transactions: build, sign, submit, show, list rules
    #[command(subcommand)]
    Tx(commands::tx::TxCommand),
    /// A block, who decided it and what it ordered
    Block(commands::block::BlockArgs),
    /// Where units are, and every hop since their issue
    Trace(commands::trace::TraceArgs),
    /// Writes proofs that anybody verifies offline
    #[command(subcommand)]
    Prove(commands::prove::ProveCommand),
    /// Certificates of completed compliance and of cancellation, with their proof
    #[command(subcommand)]
    Certificate(commands::certificate::CertificateCommand),
    /// Verifies a proof or a certificate offline; needs no node
    Verify(commands::verify::VerifyArgs),
    /// Audit: the whole history again from genesis, trusting nobody
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    /// Writes the history of a node into a file that can be audited offline
    Export(commands::audit::ExportArgs),
    /// Log: the history as a standard transparency log; show, export, verify
    #[command(subcommand)]
    Log(commands::log::LogCommand),
    /// Node on this machine: check its folder, repair it
    #[command(subcommand)]
    Node(commands::node::NodeCommand),
    /// How the nodes of the context are
    Status(commands::status::StatusArgs),
    /// Explains codes, rules, parameters and exit codes
    Explain(commands::explain::ExplainArgs),
    /// Replays the national market of 2021 to 2023 on a network of four nodes and audits it
    Demo(commands::demo::DemoArgs),
    /// Prints a completion script for a shell
    Completions(commands::completions::CompletionsArgs),
}

/// Runs one command line and returns the exit code; the only door into this crate.
pub fn run<A: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = A>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let hints = Hints::of(&arguments);
    let outcome = catch_unwind(AssertUnwindSafe(|| run_parsed(&arguments, hints, err)));
    let outcome = outcome.unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|reason| (*reason).to_owned()))
            .unwrap_or_default();
        Err(CliError::bug(text!(
            "the program stopped unexpectedly: {reason}",
            "程序意外中止：{reason}"
        )))
    });
    let (code, printed, shown) = match outcome {
        Ok((printed, code)) => (code, printed, String::new()),
        Err(error) if hints.form == OutputForm::Json => {
            (error.exit_code(), json_text(&error.to_json(hints.lang)), String::new())
        }
        Err(error) => (error.exit_code(), String::new(), error.to_human(hints.lang) + "\n"),
    };
    // A closed pipe is the reader's decision (`cets … | head`), not a failure of the command.
    let written = out.write_all(printed.as_bytes()).and_then(|()| out.flush());
    match written.and_then(|()| err.write_all(shown.as_bytes())) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ErrorKind::User.exit_code(),
        _ => code,
    }
}

/// Language and form as far as they can be known before the command line is understood.
#[derive(Clone, Copy)]
struct Hints {
    lang: Lang,
    form: OutputForm,
}

impl Hints {
    fn of(arguments: &[OsString]) -> Self {
        use clap::ValueEnum;
        let environment = |name: &str| std::env::var(name).ok();
        let option = |name: &str, variable: &str| {
            let texts: Vec<&str> = arguments.iter().filter_map(|text| text.to_str()).collect();
            let joined = format!("{name}=");
            let after = texts.iter().skip_while(|text| **text != name).nth(1).copied();
            let value = texts.iter().find_map(|text| text.strip_prefix(&joined)).or(after);
            value.map(str::to_owned).or_else(|| environment(variable))
        };
        let lang = option("--lang", "CETS_LANG").and_then(|name| Lang::from_str(&name, true).ok());
        let form = option("--output", "CETS_OUTPUT")
            .and_then(|name| OutputForm::from_str(&name, true).ok());
        Self {
            lang: lang.unwrap_or_else(|| Lang::from_environment(environment)),
            form: form.unwrap_or_default(),
        }
    }
}

/// Understands the command line and runs it; gives what to print and the exit code.
fn run_parsed(
    arguments: &[OsString],
    hints: Hints,
    err: &mut dyn Write,
) -> Result<(String, u8), CliError> {
    let command = command_line(hints.lang);
    let parsed =
        command.try_get_matches_from(arguments).and_then(|matches| App::from_arg_matches(&matches));
    let app = match parsed {
        Ok(app) => app,
        Err(error) => return usage_answer(&error),
    };
    let mut session = Session::new(&app.global, hints.lang, hints.form, err)?;
    let report = dispatch(app.command, &mut session)?;
    Ok((report.render(session.form(), hints.lang, session.width()), report.exit_code()))
}

fn dispatch(command: Command, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        Command::Network(command) => commands::network::run(command, session),
        Command::Key(command) => commands::key::run(command, session),
        Command::Context(command) => commands::context::run(command, session),
        Command::Account(command) => commands::account::run(command, session),
        Command::Holdings(args) => commands::holdings::run(&args, session),
        Command::Transfer(args) => commands::units::transfer(&args, session),
        Command::Surrender(args) => commands::units::surrender(&args, session),
        Command::Offset(args) => commands::units::offset(&args, session),
        Command::Cancel(args) => commands::units::cancel(&args, session),
        Command::Issue(args) => commands::issue::run(&args, session),
        Command::Freeze(args) => commands::freeze::freeze(&args, session),
        Command::Unfreeze(args) => commands::freeze::unfreeze(&args, session),
        Command::Task(command) => commands::task::run(command, session),
        Command::Date(command) => commands::date::run(command, session),
        Command::Parameter(command) => commands::parameter::run(command, session),
        Command::Supply(args) => commands::market::supply(&args, session),
        Command::Obligation(args) => commands::market::obligation(&args, session),
        Command::Settlement(args) => commands::market::settlement(&args, session),
        Command::Trace(args) => commands::trace::run(&args, session),
        Command::Prove(command) => commands::prove::run(command, session),
        Command::Certificate(command) => commands::certificate::run(command, session),
        Command::Verify(args) => commands::verify::run(&args, session),
        Command::Tx(command) => commands::tx::run(command, session),
        Command::Block(args) => commands::block::run(&args, session),
        Command::Audit(command) => commands::audit::run(command, session),
        Command::Export(args) => commands::audit::run_export(&args, session),
        Command::Log(command) => commands::log::run(command, session),
        Command::Node(command) => commands::node::run(&command, session),
        Command::Status(args) => commands::status::run(&args, session),
        Command::Explain(args) => commands::explain::run(&args, session),
        Command::Demo(args) => commands::demo::run(args, session),
        Command::Completions(args) => commands::completions::run(&args),
    }
}

/// The whole command line in a language, also for completions and the help snapshot.
pub fn command_line(lang: Lang) -> clap::Command {
    localise(App::command(), lang)
}

/// Help and version are answers; everything else is a usage error.
fn usage_answer(error: &clap::Error) -> Result<(String, u8), CliError> {
    if !error.use_stderr() {
        return Ok((error.to_string(), 0));
    }
    if error.kind() == ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(CliError::usage(Text::same(error.to_string().trim_end())));
    }
    let rendered = error.to_string();
    let english = rendered.trim_start_matches("error: ").trim_end().to_owned();
    let chinese = usage_in_chinese(error).unwrap_or_else(|| english.clone());
    Err(CliError::usage(Text::new(english, chinese)))
}

fn usage_in_chinese(error: &clap::Error) -> Option<String> {
    let part = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(" ")),
        other => Some(other.to_string()),
    };
    let mut sentence = match error.kind() {
        ClapErrorKind::UnknownArgument => {
            format!("未知参数 {}", part(ContextKind::InvalidArg)?)
        }
        ClapErrorKind::InvalidSubcommand => {
            format!("未知命令 {}", part(ContextKind::InvalidSubcommand)?)
        }
        ClapErrorKind::MissingRequiredArgument => {
            format!("缺少必需的参数：{}", part(ContextKind::InvalidArg)?)
        }
        ClapErrorKind::InvalidValue | ClapErrorKind::ValueValidation => format!(
            "参数 {} 的值 `{}` 无效",
            part(ContextKind::InvalidArg)?,
            part(ContextKind::InvalidValue).unwrap_or_default()
        ),
        ClapErrorKind::ArgumentConflict => format!(
            "参数 {} 不能与 {} 同时使用",
            part(ContextKind::InvalidArg)?,
            part(ContextKind::PriorArg).unwrap_or_default()
        ),
        _ => return None,
    };
    if let Some(valid) = part(ContextKind::ValidValue).filter(|valid| !valid.is_empty()) {
        sentence.push_str(&format!("（可用值：{valid}）"));
    }
    if let Some(usage) = part(ContextKind::Usage) {
        sentence.push_str(&format!("\n\n{}", usage.replace("Usage:", "用法：")));
    }
    Some(sentence)
}
