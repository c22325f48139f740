//! The kinds of damage, what each means and what to do about it.

use cets_contracts::rules::Language;
use serde::Serialize;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The database does not open.
    DatabaseClosed,
    /// A file of the database is not as it was written.
    DatabaseFile,
    /// The write-ahead log of the database is not as it was written.
    WriteAheadLog,
    /// Rows of a table cannot be read, or contradict what a quorum signed.
    Rows,
    /// The ledger ends before what this node had committed.
    LedgerShort,
    /// The consensus log is not as it was written.
    ConsensusLog,
    /// The height of the consensus log cannot be right.
    ConsensusLogHeight,
    /// A kept state is not that of its block.
    KeptState,
    /// The configuration cannot be used.
    Configuration,
    /// The genesis document is unreadable or of another chain.
    Genesis,
    /// A key file cannot be used, or two keys do not belong together.
    Keys,
    /// The validator set does not name the consensus key.
    KeyNotNamed,
    /// A last write did not reach the disk whole.
    TornWrite,
    /// Bytes are changed that nothing reads.
    Padding,
    /// A file does not belong here.
    ForeignFile,
}

/// Who mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// `cetsd repair`.
    Repair,
    /// `cetsd keep`.
    Keep,
    /// The operator, from a copy.
    Restore,
    /// Nobody has to.
    Nothing,
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::DatabaseClosed,
        Self::DatabaseFile,
        Self::WriteAheadLog,
        Self::Rows,
        Self::LedgerShort,
        Self::ConsensusLog,
        Self::ConsensusLogHeight,
        Self::KeptState,
        Self::Configuration,
        Self::Genesis,
        Self::Keys,
        Self::KeyNotNamed,
        Self::TornWrite,
        Self::Padding,
        Self::ForeignFile,
    ];

    /// Who mends it.
    pub const fn remedy(self) -> Remedy {
        match self {
            Self::DatabaseClosed
            | Self::DatabaseFile
            | Self::WriteAheadLog
            | Self::Rows
            | Self::LedgerShort
            | Self::ConsensusLog
            | Self::ConsensusLogHeight => Remedy::Repair,
            Self::KeptState => Remedy::Keep,
            Self::Configuration | Self::Genesis | Self::Keys => Remedy::Restore,
            Self::KeyNotNamed | Self::TornWrite | Self::Padding | Self::ForeignFile => {
                Remedy::Nothing
            }
        }
    }

    /// Whether the node is as sound as without it.
    pub fn is_harmless(self) -> bool {
        self.remedy() == Remedy::Nothing
    }

    /// What it means.
    pub const fn meaning(self, language: Language) -> &'static str {
        match language {
            Language::English => self.meaning_in_english(),
            Language::Chinese => self.meaning_in_chinese(),
        }
    }

    const fn meaning_in_english(self) -> &'static str {
        match self {
            Self::DatabaseClosed => "the ledger cannot be opened; the node does not start",
            Self::DatabaseFile => "a file of the ledger changed since it was written",
            Self::WriteAheadLog => "the newest blocks, or the double-sign guard, may be lost",
            Self::Rows => "this part of the ledger is lost or wrong; others have it",
            Self::LedgerShort => "blocks that this node had committed are gone",
            Self::ConsensusLog => "what this node signed at its height may be lost",
            Self::ConsensusLogHeight => "the log or the ledger is not the one it was",
            Self::KeptState => "the state of that height cannot be proven; the ledger is sound",
            Self::Configuration => "the node does not start",
            Self::Genesis => "the node does not start, or is of another ledger",
            Self::Keys => "the node does not start, or nobody takes its signatures",
            Self::KeyNotNamed => "right for a node that waits to be named; else restore the key",
            Self::TornWrite => "a crash cut off a write that nobody was told of; it is dropped",
            Self::Padding => "nothing is read from these bytes",
            Self::ForeignFile => "the node passes over it",
        }
    }

    const fn meaning_in_chinese(self) -> &'static str {
        match self {
            Self::DatabaseClosed => "账本无法打开；节点不会启动",
            Self::DatabaseFile => "账本文件在写入后发生了变化",
            Self::WriteAheadLog => "最新区块或防双签记录可能丢失",
            Self::Rows => "账本的这一部分丢失或有误；其他节点仍有",
            Self::LedgerShort => "本节点已提交的区块不见了",
            Self::ConsensusLog => "本节点在该高度签署的内容可能丢失",
            Self::ConsensusLogHeight => "共识日志或账本已不是原来的那一份",
            Self::KeptState => "该高度的状态无法出具证明；账本完好",
            Self::Configuration => "节点不会启动",
            Self::Genesis => "节点不会启动，或属于另一账本",
            Self::Keys => "节点不会启动，或其签名无人认可",
            Self::KeyNotNamed => "等待列入验证者的节点属正常；否则请恢复密钥",
            Self::TornWrite => "崩溃截断了一次尚未告知任何人的写入；该部分被舍弃",
            Self::Padding => "这些字节从不被读取",
            Self::ForeignFile => "节点不理会该文件",
        }
    }
}

impl Remedy {
    /// What to do.
    pub const fn words(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Repair, Language::English) => "cetsd repair --config FILE",
            (Self::Repair, Language::Chinese) => "运行 cetsd repair --config 文件",
            (Self::Keep, Language::English) => "delete it, then cetsd keep --height HEIGHT",
            (Self::Keep, Language::Chinese) => "删除后运行 cetsd keep --height 高度",
            (Self::Restore, Language::English) => "restore the file from a copy",
            (Self::Restore, Language::Chinese) => "用备份恢复该文件",
            (Self::Nothing, Language::English) => "nothing",
            (Self::Nothing, Language::Chinese) => "无需处理",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_words_in_both_languages() {
        for trouble in Trouble::ALL {
            let [english, chinese] =
                [Language::English, Language::Chinese].map(|language| trouble.meaning(language));
            assert!(english.is_ascii() && !chinese.is_ascii(), "{trouble:?}");
        }
    }
}
