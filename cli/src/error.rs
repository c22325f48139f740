//! What can go wrong for the person at the keyboard: a kind, a sentence, a hint, an exit code.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::text;
use crate::text::{Lang, Text};

/// Who has to act; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request cannot be carried out as given: a missing key, a wrong passphrase, a bad file.
    User,
    /// The command line is wrong.
    Usage,
    /// The ledger or the node refused the request.
    Rejected,
    /// No node answered, or the node could not serve the request; the outcome may be unknown.
    Unreachable,
    /// What is stored is damaged.
    Damaged,
    /// This program is wrong.
    Bug,
}

impl ErrorKind {
    /// All kinds, for the documentation.
    pub const ALL: &'static [Self] =
        &[Self::User, Self::Usage, Self::Rejected, Self::Unreachable, Self::Damaged, Self::Bug];

    /// Exit code of the process.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Usage => 2,
            Self::Rejected => 3,
            Self::Unreachable => 4,
            Self::Damaged => 5,
            Self::Bug => 255,
        }
    }

    /// Stable name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Usage => "usage",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Damaged => "damaged",
            Self::Bug => "bug",
        }
    }

    /// The word before the colon.
    pub fn label(self) -> Text {
        match self {
            Self::User => text!("Error", "错误"),
            Self::Usage => text!("Usage error", "用法错误"),
            Self::Rejected => text!("Rejected", "被拒绝"),
            Self::Unreachable => text!("No answer", "未获答复"),
            Self::Damaged => text!("Damaged", "已损坏"),
            Self::Bug => text!("Internal error", "内部错误"),
        }
    }

    /// What the exit code means, for `cets explain exit-codes`.
    pub fn meaning(self) -> Text {
        match self {
            Self::User => text!(
                "The request cannot be carried out as given; the hint says what to change.",
                "请求无法按给定内容执行；提示说明应如何修改。"
            ),
            Self::Usage => text!(
                "The command line is wrong: an unknown option, a missing or malformed value.",
                "命令行有误：未知选项、缺少参数或参数格式不对。"
            ),
            Self::Rejected => text!(
                "A node or a rule of the ledger refused the request; nothing was changed.",
                "节点或账本规则拒绝了请求；未作任何更改。"
            ),
            Self::Unreachable => text!(
                "No node could answer: unreachable, busy, stopping, failed or too late. Whether a \
                 transaction that was sent becomes final is unknown; the hint says how to find \
                 out.",
                "没有节点给出答复：无法连接、繁忙、正在停止、出错或超时。已发送的交易是否生效尚不可知，\
                 提示说明如何查询。"
            ),
            Self::Damaged => text!(
                "The folder of a node is damaged; the report names each place and what to do.",
                "节点的数据目录已损坏；报告列出每处损坏及处理办法。"
            ),
            Self::Bug => text!(
                "This program is at fault; please report it with the message.",
                "本程序有缺陷；请连同信息一并报告。"
            ),
        }
    }
}

/// A failure as it is shown and as it is written in JSON.
#[derive(Clone, Debug)]
pub struct CliError(Box<Failure>);

/// Boxed, so that results stay small.
#[derive(Clone, Debug)]
struct Failure {
    kind: ErrorKind,
    sentence: Text,
    hint: Option<Text>,
    facts: Map<String, Value>,
}

impl CliError {
    /// A failure of a kind.
    pub fn new(kind: ErrorKind, sentence: Text) -> Self {
        Self(Box::new(Failure { kind, sentence, hint: None, facts: Map::new() }))
    }

    /// A failure that the user can mend.
    pub fn user(sentence: Text) -> Self {
        Self::new(ErrorKind::User, sentence)
    }

    /// A wrong command line.
    pub fn usage(sentence: Text) -> Self {
        Self::new(ErrorKind::Usage, sentence)
    }

    /// A failure of this program.
    pub fn bug(sentence: Text) -> Self {
        Self::new(ErrorKind::Bug, sentence)
    }

    /// A file or directory that could not be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let path = path.display();
        Self::user(text!("cannot use {path}: {error}", "无法使用 {path}：{error}"))
    }

    /// The same failure with advice.
    #[must_use]
    pub fn hint(mut self, hint: Text) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// The same failure with a typed fact for programs.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.facts.insert(name.to_owned(), value.into());
        self
    }

    /// A number that a node gave the failure.
    pub fn number(&self) -> Option<u64> {
        self.0.facts.get("number").and_then(Value::as_u64)
    }

    /// Kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Exit code of the process.
    pub fn exit_code(&self) -> u8 {
        self.0.kind.exit_code()
    }

    /// The sentence.
    pub fn sentence(&self) -> &Text {
        &self.0.sentence
    }

    /// The failure for people: kind, sentence, hint.
    pub fn to_human(&self, lang: Lang) -> String {
        let label = self.0.kind.label();
        let mut shown = format!("{}: {}", label.get(lang), self.0.sentence.get(lang));
        if let Some(hint) = &self.0.hint {
            let word = text!("Hint", "提示");
            shown.push_str(&format!("\n{}: {}", word.get(lang), hint.get(lang)));
        }
        shown
    }

    /// The failure for programs: `{"error": {"kind", "exit_code", "message", "hint", …facts}}`.
    pub fn to_json(&self, lang: Lang) -> Value {
        let mut error = Map::new();
        error.insert("kind".to_owned(), json!(self.0.kind.name()));
        error.insert("exit_code".to_owned(), json!(self.exit_code()));
        error.insert("message".to_owned(), json!(self.0.sentence.get(lang)));
        if let Some(hint) = &self.0.hint {
            error.insert("hint".to_owned(), json!(hint.get(lang)));
        }
        error.extend(self.0.facts.clone());
        json!({ "error": error })
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_human(Lang::En))
    }
}

impl std::error::Error for CliError {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_documented_exit_code() {
        let codes: Vec<u8> = ErrorKind::ALL.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!(codes, [1, 2, 3, 4, 5, 255]);
    }

    #[test]
    fn a_failure_reads_as_kind_sentence_and_hint_in_both_languages() {
        let error = CliError::user(text!("no key named x", "没有名为 x 的密钥"))
            .hint(text!("run `cets key list`", "请运行 `cets key list`"))
            .fact("key", "x");
        assert_eq!(error.to_human(Lang::En), "Error: no key named x\nHint: run `cets key list`");
        assert_eq!(
            error.to_human(Lang::Zh),
            "错误: 没有名为 x 的密钥\n提示: 请运行 `cets key list`"
        );
        let json = error.to_json(Lang::En);
        assert_eq!(json["error"]["kind"], "user");
        assert_eq!(json["error"]["key"], "x");
    }
}
