//! Many flips of one folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use cets_consensus::{LogFindings, check_log};
use cets_contracts::types::{Digest, StateRoot};
use cets_node::check::{CheckPlan, CheckReport, check_folder};
use cets_node::ledger::NodeLedger;
use cets_node::store::{Column, Store};
use eyre::{OptionExt as _, ensure};
use tempfile::TempDir;

use super::folder::{copy_folder, files_of};
use crate::workload::Chooser;

/// What all answers of a node come from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    root: StateRoot,
    tables: Vec<(u64, Digest)>,
    log: LogFindings,
    beside: BTreeMap<PathBuf, Vec<u8>>,
}

/// Who noticed flips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Flips.
    pub flips: u64,
    /// The node does not start and says why.
    pub start: u64,
    /// The check names a damage.
    pub check: u64,
    /// The check names bytes that nothing reads, or the end of the consensus log, which a crash may
    /// cut off.
    pub notice: u64,
    /// Nobody noticed, and every row, root and message is as it was.
    pub unchanged: u64,
    /// Nobody noticed, and something is different.
    pub silent: u64,
}

/// What a campaign found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By kind of file.
    pub kinds: BTreeMap<&'static str, Noticed>,
    /// Flips that changed something without a word.
    pub violations: Vec<String>,
}

/// One bit.
#[derive(Clone, Debug)]
struct Flip {
    file: PathBuf,
    offset: usize,
    bit: u32,
}

/// A folder and what it held before anything was flipped.
pub struct Campaign {
    data: PathBuf,
    files: Vec<PathBuf>,
    work: PathBuf,
    contents: Contents,
    notices: CheckReport,
}

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Campaign({})", self.data.display())
    }
}

impl Campaign {
    /// Looks at a folder, which must be sound, and copies it into `work` for each flip.
    ///
    /// # Errors
    /// When the folder is damaged or cannot be read.
    pub fn of(data: &Path, work: &Path) -> eyre::Result<Self> {
        let notices = report(data)?;
        ensure!(notices.is_sound(), "the folder is damaged already: {:#?}", notices.findings);
        let contents = contents(data, work)?;
        let mut files = Vec::new();
        for file in files_of(data)? {
            if std::fs::metadata(&file)?.len() > 0 {
                files.push(file.strip_prefix(data)?.to_owned());
            }
        }
        let (data, work) = (data.to_owned(), work.to_owned());
        Ok(Self { data, files, work, contents, notices })
    }

    /// Files that are flipped.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Flips so many bits, each in a copy of its own.
    ///
    /// # Errors
    /// When a copy cannot be made or read; damage is no error.
    pub fn run(&self, chooser: &mut Chooser, flips: u64) -> eyre::Result<Tally> {
        let mut tally = Tally::default();
        for _ in 0..flips {
            let flip = self.choose(chooser)?;
            let noticed = tally.kinds.entry(kind(&flip.file)).or_default();
            noticed.flips += 1;
            let outcome = self.flip(&flip)?;
            noticed.start += u64::from(outcome.start.is_some());
            noticed.check += u64::from(outcome.damage);
            if outcome.damage || outcome.start.is_some() {
                continue;
            }
            match (outcome.notice, outcome.same) {
                (true, true) => noticed.notice += 1,
                (true, false) if flip.file.starts_with("consensus") => noticed.notice += 1,
                (false, true) => noticed.unchanged += 1,
                (_, false) => {
                    noticed.silent += 1;
                    let Flip { file, offset, bit } = &flip;
                    let file = file.display();
                    tally.violations.push(format!("{file}, byte {offset}, bit {bit}"));
                }
            }
        }
        Ok(tally)
    }

    /// Half of the flips are in any file, half at any byte of all files.
    fn choose(&self, chooser: &mut Chooser) -> eyre::Result<Flip> {
        let length = |file: &PathBuf| std::fs::metadata(self.data.join(file)).map(|of| of.len());
        let lengths: Vec<u64> = self.files.iter().map(length).collect::<std::io::Result<_>>()?;
        let at = if chooser.percent(50) {
            chooser.below(self.files.len() as u64) as usize
        } else {
            let mut byte = chooser.below(lengths.iter().sum());
            let passed = lengths.iter().take_while(|length| {
                let beyond = byte >= **length;
                byte = byte.saturating_sub(if beyond { **length } else { 0 });
                beyond
            });
            passed.count()
        };
        let file = self.files.get(at).ok_or_eyre("no file")?.clone();
        let offset = chooser.below(lengths[at]) as usize;
        Ok(Flip { file, offset, bit: chooser.below(8) as u32 })
    }

    fn flip(&self, flip: &Flip) -> eyre::Result<Outcome> {
        let folder = TempDir::new_in(&self.work)?;
        let data = folder.path().join("data");
        copy_folder(&self.data, &data)?;
        let path = data.join(&flip.file);
        let mut bytes = std::fs::read(&path)?;
        bytes[flip.offset] ^= 1 << flip.bit;
        // A linked file is another node's, too.
        std::fs::remove_file(&path)?;
        std::fs::write(&path, bytes)?;
        let report = report(&data)?;
        let known = &self.notices.findings;
        let notice = report.findings.iter().any(|finding| !known.contains(finding));
        let damage = !report.is_sound();
        let same = |start: &Option<String>| {
            // What is named needs no comparison.
            damage
                || start.is_some()
                || contents(&data, &self.work).is_ok_and(|found| found == self.contents)
        };
        let copy = folder.path().join("started");
        copy_folder(&data, &copy)?;
        let start = start(&copy).err().map(|error| error.to_string());
        let same = same(&start);
        Ok(Outcome { start, damage, notice, same })
    }
}

/// What became of one flip.
struct Outcome {
    start: Option<String>,
    damage: bool,
    notice: bool,
    same: bool,
}

fn report(data: &Path) -> eyre::Result<CheckReport> {
    let plan = CheckPlan { data, config: None, genesis: None, deep: false };
    Ok(check_folder(&plan, |_| {})?)
}

/// Reads everything that a node reads before it serves and votes.
fn start(data: &Path) -> eyre::Result<(StateRoot, LogFindings)> {
    let log = check_log(&data.join("consensus/wal"))?;
    let store = Store::open(&data.join("ledger"))?;
    let genesis = serde_json::from_str(&store.genesis()?.ok_or_eyre("no genesis")?)?;
    let state = NodeLedger::load(&store, &genesis)?;
    store.guard_marks()?;
    store.undecided()?;
    store.served_checkpoint()?;
    let root = state.read().state.root();
    Ok((root, log))
}

/// Everything that a folder says, read from a copy of it.
fn contents(data: &Path, work: &Path) -> eyre::Result<Contents> {
    let copy = TempDir::new_in(work)?;
    copy_folder(data, copy.path())?;
    let (root, log) = start(copy.path())?;
    let store = Store::open_read_only(&data.join("ledger"))?;
    let tables = Column::ALL.iter().map(|column| {
        let scan = store.scan_table(*column);
        ensure!(scan.damage.is_empty(), "{:?}", scan.damage);
        Ok((scan.rows, scan.digest))
    });
    let tables = tables.collect::<eyre::Result<_>>()?;
    let mut beside = BTreeMap::new();
    for file in files_of(data)? {
        let name = file.strip_prefix(data)?.to_owned();
        if name.starts_with("kept") {
            beside.insert(name, std::fs::read(&file)?);
        }
    }
    Ok(Contents { root, tables, log, beside })
}

fn kind(file: &Path) -> &'static str {
    use cets_node::store::files::FileKind;
    if file.starts_with("consensus") {
        return "consensus log";
    }
    if file.starts_with("kept") {
        return "kept states";
    }
    match FileKind::of(file) {
        FileKind::Sorted => "sorted files",
        FileKind::WriteAhead => "write-ahead log",
        FileKind::Manifest => "manifest",
        FileKind::Current => "CURRENT",
        FileKind::Text => "LOG, OPTIONS, IDENTITY",
        FileKind::Foreign => "others",
    }
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        for (kind, noticed) in other.kinds {
            let own = self.kinds.entry(kind).or_default();
            own.flips += noticed.flips;
            own.start += noticed.start;
            own.check += noticed.check;
            own.notice += noticed.notice;
            own.unchanged += noticed.unchanged;
            own.silent += noticed.silent;
        }
        self.violations.extend(other.violations);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["flips", "start", "check", "notice", "unchanged", "silent"];
        write!(f, "  {:<24}", "")?;
        names.iter().try_for_each(|name| write!(f, "{name:>11}"))?;
        writeln!(f)?;
        for (kind, noticed) in &self.kinds {
            let Noticed { flips, start, check, notice, unchanged, silent } = noticed;
            write!(f, "  {kind:<24}")?;
            let numbers = [flips, start, check, notice, unchanged, silent];
            numbers.iter().try_for_each(|number| write!(f, "{number:>11}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}
