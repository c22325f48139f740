//! Failures of a node in words: its own error report when there is one, else the gRPC status.

use cets_contracts::block::Outcome;
use cets_contracts::rules::{Language, Reject, reject_code};
use cets_contracts::types::TxId;
use serde::Deserialize;
use serde_json::json;
use tonic::Code;

use crate::error::{CliError, ErrorKind};
use crate::text;
use crate::text::{Lang, Text};

/// Name of the trailer that carries a node's error report.
const ERROR_TRAILER: &str = "cets-error";

/// A node's error report.
#[derive(Debug, Default, Deserialize)]
pub struct NodeReport {
    /// What kind of refusal it is, for programs.
    #[serde(default)]
    pub kind: String,
    /// Number within the kind.
    #[serde(default)]
    pub number: Option<u16>,
    /// Stable name.
    #[serde(default)]
    pub name: Option<String>,
    /// What is wrong.
    #[serde(default)]
    pub sentence: String,
    /// What to do.
    #[serde(default)]
    pub hint: Option<String>,
    /// Article that it follows from.
    #[serde(default)]
    pub article: Option<String>,
}

impl NodeReport {
    /// Reads a report as a trailer or a stream answer carries it.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The failure that the report describes.
    pub fn into_failure(self) -> CliError {
        let number = self.number.map(|number| format!("{number} "));
        let name = self.name.as_ref().map(|name| format!("{name}: "));
        let article = self.article.as_ref().filter(|article| !article.is_empty());
        let sentence = format!(
            "{}{}{}{}",
            number.unwrap_or_default(),
            name.unwrap_or_default(),
            self.sentence,
            article.map(|article| format!(" ({article})")).unwrap_or_default()
        );
        let failure = CliError::new(ErrorKind::Rejected, Text::same(sentence))
            .fact("reason", self.kind)
            .fact("number", json!(self.number))
            .fact("name", json!(self.name))
            .fact("article", json!(self.article));
        match self.hint.filter(|hint| !hint.is_empty()) {
            Some(hint) => failure.hint(Text::same(hint)),
            None => failure,
        }
    }
}

/// The failure of a call.
pub fn status_failure(address: &str, status: &tonic::Status) -> CliError {
    let trailer = status.metadata().get(ERROR_TRAILER).and_then(|value| value.to_str().ok());
    if let Some(report) = trailer.and_then(NodeReport::parse) {
        return report.into_failure();
    }
    let message = status.message();
    let failure = match status.code() {
        Code::Unavailable | Code::Cancelled => CliError::new(
            ErrorKind::Unreachable,
            text!("node {address} does not answer: {message}", "节点 {address} 无应答：{message}"),
        ),
        Code::DeadlineExceeded => CliError::new(
            ErrorKind::Unreachable,
            text!(
                "node {address} did not finish in time: {message}",
                "节点 {address} 未能及时完成：{message}"
            ),
        )
        .hint(text!(
            "the transaction may still become final; ask with `cets tx show ID`",
            "交易仍可能生效；请用 `cets tx show 交易号` 查询"
        )),
        Code::Unimplemented => CliError::new(
            ErrorKind::Rejected,
            text!("node {address} is too old for this", "节点 {address} 版本过旧，不支持此操作"),
        ),
        Code::Unauthenticated => CliError::new(ErrorKind::Rejected, Text::same(message))
            .hint(text!("say who asks with --as KEY", "请用 --as 密钥 表明身份")),
        _ => CliError::new(ErrorKind::Rejected, Text::same(message)),
    };
    failure.fact("node", address).fact("grpc_code", format!("{:?}", status.code()))
}

/// What a rule's refusal says, and what to do.
pub fn reject_sentence(reject: &Reject) -> (Text, Text) {
    let english = reject.explain(Language::English);
    let chinese = reject.explain(Language::Chinese);
    (Text::new(english.sentence, chinese.sentence), Text::new(english.hint, chinese.hint))
}

/// The failure that a receipt's refusal is.
pub fn rejected(id: TxId, reject: &Reject) -> CliError {
    let (sentence, hint) = reject_sentence(reject);
    let code = reject_code(reject.number);
    let number = reject.number;
    let name = code.map_or("", |code| code.name);
    let article = code.map_or("", |code| code.article);
    let sentence = Text::new(
        format!("{number} {name}: {} ({article})", sentence.get(Lang::En)),
        format!("{number} {name}：{}（{article}）", sentence.get(Lang::Zh)),
    );
    CliError::new(ErrorKind::Rejected, sentence)
        .hint(hint)
        .fact("reason", "rule")
        .fact("tx_id", id.to_string())
        .fact("number", number)
        .fact("name", name)
        .fact("article", article)
        .fact("facts", reject_facts(reject))
}

/// Facts of a refusal by name.
fn reject_facts(reject: &Reject) -> serde_json::Value {
    let names = reject_code(reject.number).map_or(&[][..], |code| code.facts);
    let facts = names.iter().zip(&reject.facts);
    facts.map(|(name, fact)| ((*name).to_owned(), json!(fact.to_string()))).collect()
}

/// An outcome in one word and, when refused, its sentence.
pub fn outcome_text(outcome: &Outcome) -> Text {
    match outcome {
        Outcome::Accepted => text!("accepted", "已接受"),
        Outcome::Rejected(reject) => {
            let (sentence, _) = reject_sentence(reject);
            let number = reject.number;
            Text::new(
                format!("rejected, {number}: {}", sentence.get(Lang::En)),
                format!("被拒绝，{number}：{}", sentence.get(Lang::Zh)),
            )
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use cets_contracts::rules::{Fact, common};
    use cets_contracts::types::Tonnes;

    use super::*;

    #[test]
    fn a_refusal_is_told_with_number_sentence_article_and_hint() {
        let facts = vec![
            Fact::Instrument("CEA-2021".parse().unwrap()),
            Fact::Tonnes(Tonnes::new(5)),
            Fact::Tonnes(Tonnes::new(9)),
        ];
        let failure = rejected(TxId::new([1; 32]), &common::HOLDING_INSUFFICIENT.reject(facts));
        let shown = failure.to_human(Lang::En);
        assert!(
            shown.contains("1009") && shown.contains("5 t of CEA-2021 are free, 9 t"),
            "{shown}"
        );
        assert!(failure.to_human(Lang::Zh).contains("可用 5 吨"));
        let json = failure.to_json(Lang::En);
        assert_eq!(json["error"]["exit_code"], 3);
        assert_eq!(json["error"]["facts"]["asked"], "9");
    }

    #[test]
    fn a_nodes_report_is_preferred_to_the_status() {
        let mut status = tonic::Status::invalid_argument("raw");
        let report = r#"{"kind":"envelope","number":6,"name":"TRANSACTION_EXPIRED",
            "sentence":"Too late.","hint":"Again.","article":"Format of transactions"}"#
            .replace('\n', "");
        status.metadata_mut().insert(ERROR_TRAILER, report.parse().unwrap());
        let failure = status_failure("http://x", &status);
        assert_eq!(
            failure.to_human(Lang::En),
            "Rejected: 6 TRANSACTION_EXPIRED: Too late. (Format of transactions)\nHint: Again."
        );
        let plain = status_failure("http://x", &tonic::Status::unavailable("gone"));
        assert_eq!(plain.kind(), ErrorKind::Unreachable);
    }
}
