//! What a check found, for people and for programs.

use std::path::PathBuf;

use cets_contracts::rules::Language;
use cets_contracts::types::{Height, LogRoot, StateRoot};
use serde::Serialize;

use super::Trouble;
use super::trouble::Remedy;

/// One damage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub trouble: Trouble,
    /// The file or folder, from the data folder on.
    pub file: String,
    /// Where in it: a byte, a table and a row, a height.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The data folder.
    pub folder: PathBuf,
    /// Whether every transaction was executed again.
    pub deep: bool,
    /// Newest block, where it can be read.
    pub height: Option<Height>,
    /// Root of the state that its records give.
    pub state_root: Option<StateRoot>,
    /// Entries of the log.
    pub log_size: u64,
    /// Root of the log that its entries give.
    pub log_root: Option<LogRoot>,
    /// Files looked at.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows read, of all tables.
    pub rows: u64,
    /// Headers that follow each other.
    pub headers: u64,
    /// Certificates that a quorum signed.
    pub certificates: u64,
    /// Kept states that are those of their blocks.
    pub kept_states: u64,
    /// Messages in the consensus log.
    pub consensus_messages: u64,
    /// Transactions executed again.
    pub executed: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Adds a damage, once.
    pub(super) fn add(
        &mut self,
        trouble: Trouble,
        file: impl Into<String>,
        place: impl Into<String>,
        what: impl Into<String>,
    ) {
        let finding =
            Finding { trouble, file: file.into(), place: place.into(), what: what.into() };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Whether nothing is wrong that matters.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.trouble.is_harmless())
    }

    /// Whether something is wrong that `cetsd repair` mends.
    pub fn wants_repair(&self) -> bool {
        self.findings.iter().any(|finding| finding.trouble.remedy() == Remedy::Repair)
    }

    /// The report as text: a line per thing looked at, then a paragraph per damage.
    pub fn text(&self, language: Language) -> String {
        let words = match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        };
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Names are aligned by their width on a screen.
            let width = name.chars().map(|c| if c.is_ascii() { 1usize } else { 2 }).sum::<usize>();
            let gap = " ".repeat(COLUMN.saturating_sub(width));
            text.push_str(&format!("{name}{gap}{value}\n"));
        };
        line(words.folder, self.folder.display().to_string());
        if let Some(height) = self.height {
            line(words.height, height.to_string());
        }
        if let Some(root) = self.state_root {
            line(words.state_root, root.to_string());
        }
        if let Some(root) = self.log_root {
            line(words.log, format!("{} {} {root}", self.log_size, words.root));
        }
        line(words.files, format!("{} ({} {})", self.files, self.bytes, words.bytes));
        line(words.rows, self.rows.to_string());
        line(words.headers, format!("{} / {}", self.headers, self.certificates));
        line(words.messages, self.consensus_messages.to_string());
        line(words.kept, self.kept_states.to_string());
        if self.deep {
            line(words.executed, self.executed.to_string());
        }
        for (number, finding) in (1..).zip(&self.findings) {
            let harmless = finding.trouble.is_harmless();
            let word = if harmless { words.notice } else { words.damage };
            let Finding { trouble, file, place, what } = finding;
            let (meaning, remedy) = (trouble.meaning(language), trouble.remedy().words(language));
            text.push_str(&format!("\n{word} {number}: {file}, {place}\n  {what}\n"));
            text.push_str(&format!("  {}{meaning}\n", words.meaning));
            text.push_str(&format!("  {}{remedy}\n", words.remedy));
        }
        let verdict = if self.is_sound() { words.sound } else { words.unsound };
        text.push_str(&format!("\n{verdict}\n"));
        text
    }
}

/// Width of the names of lines.
const COLUMN: usize = 24;

struct Words {
    folder: &'static str,
    height: &'static str,
    state_root: &'static str,
    log: &'static str,
    root: &'static str,
    files: &'static str,
    bytes: &'static str,
    rows: &'static str,
    headers: &'static str,
    messages: &'static str,
    kept: &'static str,
    executed: &'static str,
    notice: &'static str,
    damage: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    sound: &'static str,
    unsound: &'static str,
}

const ENGLISH: Words = Words {
    folder: "folder",
    height: "height",
    state_root: "state root",
    log: "log entries",
    root: "root",
    files: "files",
    bytes: "bytes",
    rows: "rows of all tables",
    headers: "headers / certificates",
    messages: "consensus messages",
    kept: "kept states",
    executed: "executed again",
    notice: "Notice",
    damage: "Damage",
    meaning: "meaning: ",
    remedy: "what to do: ",
    sound: "The folder is sound.",
    unsound: "The folder is damaged.",
};

const CHINESE: Words = Words {
    folder: "目录",
    height: "高度",
    state_root: "状态根",
    log: "日志条目",
    root: "根",
    files: "文件",
    bytes: "字节",
    rows: "全部表的行数",
    headers: "区块头 / 证书",
    messages: "共识消息",
    kept: "留存状态",
    executed: "重新执行",
    notice: "提示",
    damage: "损坏",
    meaning: "含义：",
    remedy: "处理：",
    sound: "数据目录完好。",
    unsound: "数据目录已损坏。",
};
