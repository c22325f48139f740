//! `cetsd`: runs a node, checks its configuration, audits its ledger.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cets_contracts::audit::InvariantSchedule;
use cets_contracts::genesis::{ClockRule, Genesis};
use cets_contracts::types::Height;
use cets_node::audit::{FolderAuditError, FolderAuditPlan, audit_folder, keep_state};
use cets_node::clock::SystemClock;
use cets_node::config::{LogFormat, LogSection, NodeConfig, NodeKeys, check_tls, peer_id};
use cets_node::store::KeptStates;
use cets_node::{Node, metrics};
use clap::{Parser, Subcommand};
use eyre::WrapErr as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

mod folder_commands;

use folder_commands::{CheckArguments, RepairArguments};

/// Records are many small pieces of memory, made on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long freed memory stays with the process.
const FREED_MEMORY_MILLIS: &str = "60000";

/// Node of the CETS ledger.
#[derive(Debug, Parser)]
#[command(name = "cetsd", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node until it gets SIGTERM or SIGINT.
    Run {
        /// Configuration file.
        #[arg(long, env = "CETSD_CONFIG")]
        config: PathBuf,
    },
    /// Reads configuration, genesis, keys and TLS identity, says what they are, starts nothing.
    CheckConfig {
        /// Configuration file.
        #[arg(long, env = "CETSD_CONFIG")]
        config: PathBuf,
    },
    /// Checks every byte of a stopped node's folder and names what is damaged.
    ///
    /// Exit codes: 0 sound, 5 damaged, 6 nothing can be said, 1 another failure.
    Check(CheckArguments),
    /// Moves aside what is damaged, fetches the ledger from the other nodes, says when it is done.
    Repair(RepairArguments),
    /// Replays the ledger of a data folder from genesis and compares everything stored.
    Audit {
        /// Data folder, as `data` in the configuration.
        #[arg(long)]
        data: PathBuf,
        /// Genesis document that the ledger must start from; that of the folder without.
        #[arg(long)]
        genesis: Option<PathBuf>,
        /// Check all invariants every so many blocks, besides the end.
        #[arg(long, default_value_t = 1_000)]
        invariants_every: u64,
        /// Go on from this file when it exists; save the audit there, also at Ctrl-C.
        #[arg(long, value_name = "FILE")]
        resume: Option<PathBuf>,
        /// Save the audit every so many blocks.
        #[arg(long, value_name = "BLOCKS", default_value_t = 20_000, requires = "resume")]
        save_every: u64,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keeps the state after a past block, so that it can be proven; without one says which are.
    ///
    /// Replays the ledger from genesis up to the block. The node may run meanwhile and proves the
    /// state as soon as it is kept.
    Keep {
        /// Data folder, as `data` in the configuration.
        #[arg(long)]
        data: PathBuf,
        /// Genesis document that the ledger must start from; that of the folder without.
        #[arg(long)]
        genesis: Option<PathBuf>,
        /// Height of the block.
        #[arg(long)]
        height: Option<u64>,
    },
}

/// Runs a command of the command line.
pub fn main() -> ExitCode {
    match execute(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cetsd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> eyre::Result<ExitCode> {
    match command {
        Command::Check(arguments) => return folder_commands::check(&arguments),
        Command::Repair(arguments) => return folder_commands::repair(&arguments),
        Command::Run { config } => run(&config),
        Command::CheckConfig { config } => check_config(&config),
        Command::Audit { data, genesis, invariants_every, resume, save_every, json } => {
            if resume.is_some() {
                watch_interrupt()?;
            }
            let plan = FolderAuditPlan {
                schedule: InvariantSchedule { every_blocks: invariants_every },
                resume: resume.as_deref(),
                save_every: save_every.max(1),
                stop: resume.as_ref().map(|_| &STOP),
            };
            audit(&data, genesis.as_deref(), &plan, json)
        }
        Command::Keep { data, genesis, height } => keep(&data, genesis.as_deref(), height),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Starts the program again, as the same process, with freed memory kept for a minute.
///
/// Each block frees what the next one takes again; giving it back to the system between them costs
/// a node a twentieth of its time. The allocator reads the setting before there is a `main`, and
/// only from the environment.
fn keep_freed_memory() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    const SETTING: &str = "MIMALLOC_PURGE_DELAY";
    if std::env::var_os(SETTING).is_some() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    Err(again.args(arguments).env(SETTING, FREED_MEMORY_MILLIS).exec())
}

fn run(file: &Path) -> eyre::Result<()> {
    let kept = keep_freed_memory();
    let config = NodeConfig::read(file)?;
    start_logging(&config.log)?;
    if let Err(error) = kept {
        tracing::warn!(%error, "freed memory goes back to the system at once: a little slower");
    }
    let keys = NodeKeys::read(&config)?;
    check_tls(&config)?;
    let genesis = config.read_genesis()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let clock = Arc::new(SystemClock);
        let node = Node::start(&config, keys, genesis, clock, metrics::install()).await?;
        let status = node.handle().status()?;
        tracing::info!(
            node = %config.name, network = %status.network, chain = %status.chain_id,
            height = %status.tip.height, "started"
        );
        let asked = CancellationToken::new();
        let stop = asked.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            }
            stop.cancel();
        });
        node.run_until(asked).await?;
        tracing::info!("stopped");
        Ok(())
    })
}

fn log_filter(section: &LogSection) -> eyre::Result<EnvFilter> {
    EnvFilter::try_new(&section.level)
        .wrap_err_with(|| format!("`log.level`: `{}` is no log filter", section.level))
}

fn start_logging(section: &LogSection) -> eyre::Result<()> {
    let filter = log_filter(section)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match section.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn check_config(file: &Path) -> eyre::Result<()> {
    let config = NodeConfig::read(file)?;
    log_filter(&config.log)?;
    let keys = NodeKeys::read(&config)?;
    check_tls(&config)?;
    let genesis = config.read_genesis()?;
    genesis.state().wrap_err_with(|| format!("{} starts no ledger", config.genesis.display()))?;
    println!("node      {}", config.name);
    println!("network   {} (chain {})", genesis.network, genesis.chain_id());
    println!("data      {}", config.data.display());
    println!("consensus {} as {}", config.consensus.listen, peer_id(&keys.network));
    println!("gossip    {} as {}", config.gossip.listen, keys.gossip.public().to_peer_id());
    let tls = config.api.tls.as_ref();
    let encryption = match tls.map(|tls| tls.client_authority.is_some()) {
        None => "plain text: clients on other machines send no tokens here",
        Some(false) => "TLS",
        Some(true) => "TLS, for clients with a certificate of the authority",
    };
    println!("api       {} ({encryption})", config.api.listen);
    let cosigning = keys.cosigner.as_ref().map(|key| {
        let public = cets_contracts::types::PublicKey::new(key.verifying_key().to_bytes());
        let named = genesis.validators.iter().find(|member| member.cosigner_key == public);
        named.map_or("once the validator set names its key", |member| member.name.as_str())
    });
    println!("cosigner  {}", cosigning.unwrap_or("no: it has no cosigner key and only gathers"));
    let voting = keys.consensus.as_ref().and_then(|key| {
        let public = cets_contracts::types::PublicKey::new(key.verifying_key().to_bytes());
        genesis.validators.iter().find(|member| member.consensus_key == public)
    });
    match (keys.consensus, voting) {
        (None, _) => println!("validator no: it has no consensus key and only follows"),
        (Some(_), Some(member)) => println!("validator {} of genesis", member.name),
        (Some(_), None) => {
            println!("validator not of genesis: it votes once the set names its key")
        }
    }
    Ok(())
}

fn genesis_of(file: Option<&Path>) -> eyre::Result<Option<Genesis>> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .wrap_err_with(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text)
        .map(Some)
        .wrap_err_with(|| format!("{} is no genesis document", file.display()))
}

fn show_progress(height: Height, last: Height) {
    if height.get().is_multiple_of(1_000) || height == last {
        eprintln!("checked {height} of {last} blocks");
    }
}

fn keep(data: &Path, genesis: Option<&Path>, height: Option<u64>) -> eyre::Result<()> {
    let folder = data.join("ledger");
    let Some(height) = height else {
        let kept = KeptStates::beside(&folder);
        println!("kept in {}:", kept.folder().display());
        for height in kept.heights()? {
            println!("{height}");
        }
        return Ok(());
    };
    let genesis = genesis_of(genesis)?;
    let file = keep_state(&folder, genesis.as_ref(), Height::new(height), show_progress)
        .wrap_err("the state was not kept")?;
    println!("kept the state of height {height}: {}", file.display());
    Ok(())
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C and SIGTERM ask for a saved audit; a second one ends the program at once.
fn watch_interrupt() -> eyre::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = runtime.block_on(async {
        Ok::<_, std::io::Error>((
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ))
    })?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            for again in [false, true] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if again {
                    std::process::exit(130);
                }
                eprintln!("stopping after the next blocks");
                STOP.store(true, Ordering::Relaxed);
            }
        });
    });
    Ok(())
}

fn audit(
    data: &Path,
    genesis: Option<&Path>,
    plan: &FolderAuditPlan<'_>,
    json: bool,
) -> eyre::Result<()> {
    let genesis = genesis_of(genesis)?;
    let folder = data.join("ledger");
    let report = match audit_folder(&folder, genesis.as_ref(), plan, show_progress) {
        Ok(report) => report,
        // Nothing failed.
        Err(error @ FolderAuditError::Interrupted { .. }) => return Err(error.into()),
        Err(error) => return Err(error).wrap_err("the audit failed"),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("The ledger holds: {} ({}).", report.network, report.chain_id);
        let clock = match report.clock {
            ClockRule::CivilDate => "follow the clock: each is the civil date of its block",
            ClockRule::ByOrder => "were set by order: this is a replay, a training or a test",
        };
        println!("dates        {clock}");
        if genesis.is_none() {
            println!("genesis      the folder's own; compare the chain id with one you trust");
        }
        if report.resumed_after != Height::GENESIS {
            println!(
                "went on      after block {}, checked by an earlier run",
                report.resumed_after
            );
        }
        println!("height       {}", report.height);
        println!("state root   {}", report.state_root);
        println!("log          {} entries, root {}", report.log_size, report.log_root);
        println!("transactions {} ({} accepted)", report.transactions, report.accepted);
        println!("signatures   {}", report.signatures);
        println!("certificates {}", report.certificates);
        println!("records      {}", report.records);
    }
    Ok(())
}
