//! `cetsd check` and `cetsd repair`: the folder of a stopped node.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_contracts::genesis::Genesis;
use cets_contracts::rules::Language;
use cets_node::check::{CheckError, CheckPlan, CheckReport, check_folder};
use cets_node::clock::{Clock as _, SystemClock};
use cets_node::config::{NodeConfig, NodeKeys};
use cets_node::repair::{MovedAside, move_aside};
use cets_node::{Node, metrics};
use clap::{Args, ValueEnum};
use eyre::{OptionExt as _, WrapErr as _, bail};
use tokio_util::sync::CancellationToken;

/// Exit code of a check that found damage, and of a repair that did not end with a sound ledger.
const DAMAGED: u8 = 5;
/// Exit code of a check that could say nothing: no ledger, a node runs, files cannot be read.
const NOT_CHECKED: u8 = 6;
/// How often a repair says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Time without a new block, with peers, after which there is nothing more to fetch.
const NOTHING_NEW: Duration = Duration::from_secs(20);

/// Language of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// What `cetsd check` is given.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Data folder, as `data` in the configuration
    #[arg(long, required_unless_present = "config", conflicts_with = "config")]
    data: Option<PathBuf>,
    /// Configuration file; its genesis document and keys are checked as well
    #[arg(long, env = "CETSD_CONFIG")]
    config: Option<PathBuf>,
    /// Genesis document that the ledger must start from; that of the folder without
    #[arg(long)]
    genesis: Option<PathBuf>,
    /// Execute every transaction again besides and compare every row
    #[arg(long)]
    deep: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Language of the report [default: from LANG]
    #[arg(long)]
    lang: Option<Lang>,
}

/// What `cetsd repair` is given.
#[derive(Debug, Args)]
pub struct RepairArguments {
    /// Configuration file
    #[arg(long, env = "CETSD_CONFIG")]
    config: PathBuf,
    /// Move the ledger aside even if the check finds it sound
    #[arg(long)]
    force: bool,
    /// Move aside and prepare only; the node fetches the ledger when it is started
    #[arg(long)]
    prepare_only: bool,
    /// Language of what is printed [default: from LANG]
    #[arg(long)]
    lang: Option<Lang>,
}

fn language(lang: Option<Lang>) -> Language {
    match lang {
        Some(Lang::Zh) => Language::Chinese,
        Some(Lang::En) => Language::English,
        None => {
            let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
            let chinese = set.is_some_and(|set| set.to_ascii_lowercase().starts_with("zh"));
            if chinese { Language::Chinese } else { Language::English }
        }
    }
}

const fn say(language: Language, english: &'static str, chinese: &'static str) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// Checks a folder, prints the report and gives the exit code.
pub fn check(arguments: &CheckArguments) -> eyre::Result<ExitCode> {
    let language = language(arguments.lang);
    let config = arguments.config.as_deref().map(NodeConfig::read).transpose();
    let config = config.wrap_err("the configuration cannot be used: restore it from a copy")?;
    let data = arguments.data.clone().or_else(|| config.as_ref().map(|one| one.data.clone()));
    let data = data.ok_or_eyre("name --data or --config")?;
    let genesis = super::genesis_of(arguments.genesis.as_deref())?;
    let report = match checked(&data, config.as_ref(), genesis.as_ref(), arguments.deep) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("cetsd: {error}");
            return Ok(ExitCode::from(NOT_CHECKED));
        }
    };
    if arguments.json {
        println!("{}", json_of(&report, language)?);
    } else {
        print!("{}", report.text(language));
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

fn json_of(report: &CheckReport, language: Language) -> eyre::Result<String> {
    let mut json = serde_json::to_value(report)?;
    json["sound"] = report.is_sound().into();
    for (finding, shown) in
        report.findings.iter().zip(json["findings"].as_array_mut().into_iter().flatten())
    {
        shown["harmless"] = finding.trouble.is_harmless().into();
        shown["meaning"] = finding.trouble.meaning(language).into();
        shown["remedy"] = finding.trouble.remedy().words(language).into();
    }
    Ok(serde_json::to_string_pretty(&json)?)
}

fn checked(
    data: &Path,
    config: Option<&NodeConfig>,
    genesis: Option<&Genesis>,
    deep: bool,
) -> Result<CheckReport, CheckError> {
    let mut shown = Instant::now();
    check_folder(&CheckPlan { data, config, genesis, deep }, |what| {
        if shown.elapsed() >= PROGRESS_INTERVAL {
            eprintln!("{what}");
            shown = Instant::now();
        }
    })
}

/// Moves aside what is damaged, fetches the ledger from the other nodes and says when it is done.
pub fn repair(arguments: &RepairArguments) -> eyre::Result<ExitCode> {
    let language = language(arguments.lang);
    let config = NodeConfig::read(&arguments.config)?;
    let keys = NodeKeys::read(&config)?;
    let genesis = config.read_genesis()?;
    let report = match checked(&config.data, None, Some(&genesis), false) {
        Ok(report) => Some(report),
        // An earlier repair was interrupted after it moved the ledger aside.
        Err(CheckError::NoLedger(_)) if config.data.exists() => None,
        Err(error) => bail!("{error}"),
    };
    if let Some(report) = &report {
        print!("{}", report.text(language));
    }
    let wanted = report.filter(|report| !arguments.force || report.wants_repair());
    let found = wanted.as_ref();
    let moved = move_aside(&config.data, found, SystemClock.now())?;
    let Some(moved) = moved else {
        println!("{}", say(language, "Nothing is to be repaired.", "无需修复。"));
        return Ok(ExitCode::SUCCESS);
    };
    show_moved(&moved, language);
    if moved.votes_after.is_none() || arguments.prepare_only {
        let words = say(
            language,
            "Start the node: it follows without voting until it is safe, then votes by itself.",
            "请启动节点：在确认安全之前只跟随、不投票，之后自动恢复投票。",
        );
        println!("{words}");
        return Ok(ExitCode::SUCCESS);
    }
    let keys = NodeKeys { consensus: None, cosigner: None, ..keys };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fetch(&config, keys, genesis, language))
}

fn show_moved(moved: &MovedAside, language: Language) {
    let parts = moved.parts.join(", ");
    let folder = moved.folder.display();
    match language {
        Language::English => println!("Moved aside to {folder}: {parts}. Nothing is deleted."),
        Language::Chinese => println!("已移至 {folder}：{parts}。未删除任何内容。"),
    }
}

/// Runs the node as a follower until it has what the others have.
async fn fetch(
    config: &NodeConfig,
    keys: NodeKeys,
    genesis: Genesis,
    language: Language,
) -> eyre::Result<ExitCode> {
    let node =
        Node::start(config, keys, genesis, Arc::new(SystemClock), metrics::install()).await?;
    let (handle, gossip) = (node.handle().clone(), node.gossip());
    let stop = CancellationToken::new();
    let mut running = tokio::spawn(node.run_until(stop.clone()));
    let mut looks = tokio::time::interval(PROGRESS_INTERVAL);
    let (mut height, mut since) = (0u64, Instant::now());
    let synced = loop {
        tokio::select! {
            ended = &mut running => {
                ended??;
                bail!("the node stopped before it had the whole ledger; run the repair again");
            }
            _ = tokio::signal::ctrl_c() => break false,
            _ = looks.tick() => {}
        }
        let status = handle.status()?;
        let now = status.tip.height.get();
        if now > height {
            (height, since) = (now, Instant::now());
        }
        let peers = gossip.borrow().peers;
        let words = say(language, "fetching: block", "正在获取：区块");
        let with = say(language, "nodes connected:", "已连接节点：");
        eprintln!("{words} {height}, {with} {peers}");
        if status.is_synced && height > 0 {
            break true;
        }
        if peers > 0 && height > 0 && since.elapsed() > NOTHING_NEW {
            break true;
        }
    };
    stop.cancel();
    running.await??;
    if !synced {
        let words = say(
            language,
            "Interrupted: start the node, it goes on where this ended.",
            "已中断：请启动节点，将从中断处继续。",
        );
        println!("{words}");
        return Ok(ExitCode::from(DAMAGED));
    }
    let words =
        say(language, "Done: the ledger is whole again up to block", "完成：账本已恢复，直至区块");
    let start = say(
        language,
        "Start the node; it votes by itself as soon as it is safe.",
        "请启动节点；确认安全后将自动恢复投票。",
    );
    println!("{words} {height}.\n{start}");
    Ok(ExitCode::SUCCESS)
}
