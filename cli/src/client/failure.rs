//! Failures of a node in words: its own error report when there is one, else the gRPC status.

use cets_contracts::block::Outcome;
use cets_contracts::rules::{Language, Reject, reject_code};
use cets_contracts::tx::TxBody;
use cets_contracts::types::TxId;
use serde::Deserialize;
use serde_json::json;
use tonic::Code;

use crate::clock::time_text;
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

    /// The failure that the report describes: a refusal, or no answer when the node could not
    /// serve the request.
    pub fn into_failure(self) -> CliError {
        let kind = match self.kind.as_str() {
            "timeout" | "unavailable" | "internal" | "overloaded" => ErrorKind::Unreachable,
            _ => ErrorKind::Rejected,
        };
        self.into_failure_of(kind)
    }

    fn into_failure_of(self, kind: ErrorKind) -> CliError {
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
        let failure = CliError::new(kind, Text::same(sentence))
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

/// Whether a code of gRPC says that the request was judged and refused. With any other one the node
/// may have carried it out without being able to say so.
const fn refuses(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::OutOfRange
    )
}

/// The failure of a call.
pub fn status_failure(address: &str, status: &tonic::Status) -> CliError {
    let trailer = status.metadata().get(ERROR_TRAILER).and_then(|value| value.to_str().ok());
    let report = trailer.and_then(NodeReport::parse);
    let failure = match report {
        Some(report) if refuses(status.code()) => report.into_failure(),
        Some(report) => report.into_failure_of(ErrorKind::Unreachable),
        None => bare_failure(address, status),
    };
    failure.fact("node", address).fact("grpc_code", format!("{:?}", status.code()))
}

/// The failure of a call that ended without a report of the node.
fn bare_failure(address: &str, status: &tonic::Status) -> CliError {
    let message = status.message();
    match status.code() {
        Code::DeadlineExceeded => CliError::new(
            ErrorKind::Unreachable,
            text!(
                "node {address} did not finish in time: {message}",
                "节点 {address} 未能及时完成：{message}"
            ),
        ),
        Code::Unimplemented => CliError::new(
            ErrorKind::Rejected,
            text!("node {address} is too old for this", "节点 {address} 版本过旧，不支持此操作"),
        ),
        Code::Unauthenticated => CliError::new(ErrorKind::Rejected, Text::same(message))
            .hint(text!("say who asks with --as KEY", "请用 --as 密钥 表明身份")),
        // The client itself says so of an answer that is larger than it reads.
        Code::OutOfRange => CliError::new(
            ErrorKind::Unreachable,
            text!(
                "the answer of node {address} cannot be read: {message}",
                "节点 {address} 的应答无法读取：{message}"
            ),
        ),
        code if refuses(code) => CliError::new(ErrorKind::Rejected, Text::same(message)),
        _ => CliError::new(
            ErrorKind::Unreachable,
            text!("node {address} does not answer: {message}", "节点 {address} 无应答：{message}"),
        ),
    }
}

/// Number of a node's report that it is busy and took nothing.
const OVERLOADED: u64 = 106;

/// The failure of sending a transaction: when no answer came, what became of it is unknown, and the
/// failure says how to find out.
pub fn unanswered(failure: CliError, body: &TxBody) -> CliError {
    let id = body.id();
    let failure = failure.fact("tx_id", id.to_string());
    if failure.kind() != ErrorKind::Unreachable || failure.number() == Some(OVERLOADED) {
        return failure;
    }
    let until = time_text(body.valid_until);
    failure
        .fact("outcome", "unknown")
        .fact("valid_until_millis", body.valid_until.as_millis())
        .hint(text!(
            "the transaction may still become final until {until}: run `cets tx show {id}`; give \
             the order again only if the ledger does not know the transaction after that time",
            "该交易在 {until} 之前仍可能生效：请运行 `cets tx show {id}`；该时间之后账本仍查无\
             此交易，方可重新下达"
        ))
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

    /// A status as a node sends it.
    fn reported(code: Code, kind: &str, number: u16) -> tonic::Status {
        let mut status = tonic::Status::new(code, "raw");
        let report = json!({ "kind": kind, "number": number, "sentence": "S.", "hint": "H." });
        status.metadata_mut().insert(ERROR_TRAILER, report.to_string().parse().unwrap());
        status
    }

    #[test]
    fn a_report_of_each_kind_says_whether_anything_may_have_changed() {
        for (code, kind, number, expected) in [
            (Code::InvalidArgument, "envelope", 6, ErrorKind::Rejected),
            (Code::FailedPrecondition, "rule", 1009, ErrorKind::Rejected),
            (Code::InvalidArgument, "argument", 101, ErrorKind::Rejected),
            (Code::NotFound, "not_found", 102, ErrorKind::Rejected),
            (Code::PermissionDenied, "access", 103, ErrorKind::Rejected),
            (Code::Unauthenticated, "access", 104, ErrorKind::Rejected),
            (Code::Unauthenticated, "access", 105, ErrorKind::Rejected),
            (Code::ResourceExhausted, "overloaded", 106, ErrorKind::Unreachable),
            (Code::Unavailable, "unavailable", 107, ErrorKind::Unreachable),
            (Code::DeadlineExceeded, "timeout", 108, ErrorKind::Unreachable),
            (Code::Unavailable, "unavailable", 109, ErrorKind::Unreachable),
            (Code::OutOfRange, "argument", 110, ErrorKind::Rejected),
            (Code::Internal, "argument", 110, ErrorKind::Unreachable),
            (Code::Internal, "internal", 111, ErrorKind::Unreachable),
        ] {
            let failure = status_failure("http://x", &reported(code, kind, number));
            assert_eq!(failure.kind(), expected, "{number} {kind}");
            assert_eq!(failure.number(), Some(u64::from(number)));
            let report = json!({ "kind": kind, "number": number, "sentence": "S." });
            let streamed = NodeReport::parse(&report.to_string()).unwrap().into_failure();
            let same = streamed.kind() == expected;
            // In a stream there is no code of gRPC beside the report.
            assert!(same || (code, number) == (Code::Internal, 110), "{number} {kind}");
        }
    }

    #[test]
    fn a_status_without_a_report_is_a_refusal_only_when_its_code_says_so() {
        for number in 1..=16 {
            let code = Code::from(number);
            let failure = status_failure("http://x", &tonic::Status::new(code, "raw"));
            let refused = refuses(code) && code != Code::OutOfRange;
            let expected = if refused { ErrorKind::Rejected } else { ErrorKind::Unreachable };
            assert_eq!(failure.kind(), expected, "{code:?}");
        }
        for code in [Code::Unknown, Code::Internal, Code::DeadlineExceeded, Code::Cancelled] {
            assert!(!refuses(code), "{code:?}");
        }
    }

    #[test]
    fn a_transaction_without_an_answer_is_named_with_what_to_run_next() {
        let body = TxBody {
            chain_id: "00".repeat(16).parse().unwrap(),
            account: "CN-KEE-0000000001-19".parse().unwrap(),
            signers: Vec::new(),
            valid_until: cets_contracts::types::BlockTime::from_millis(1_626_393_600_000),
            salt: 0,
            payload: (cets_contracts::rules::RULES[0].example)(),
        };
        let id = body.id().to_string();
        let timed_out = reported(Code::DeadlineExceeded, "timeout", 108);
        let failure = unanswered(status_failure("http://x", &timed_out), &body);
        assert_eq!(failure.exit_code(), 4);
        let json = failure.to_json(Lang::En);
        assert_eq!(json["error"]["tx_id"], id);
        assert_eq!(json["error"]["outcome"], "unknown");
        for lang in [Lang::En, Lang::Zh] {
            assert!(failure.to_human(lang).contains(&format!("`cets tx show {id}`")));
        }
        let busy = reported(Code::ResourceExhausted, "overloaded", 106);
        let busy = unanswered(status_failure("http://x", &busy), &body).to_json(Lang::En);
        assert_eq!(busy["error"]["hint"], "H.");
        assert_eq!(busy["error"].get("outcome"), None);
        let refused = reported(Code::FailedPrecondition, "rule", 1009);
        let refused = unanswered(status_failure("http://x", &refused), &body);
        assert_eq!(refused.exit_code(), 3);
    }
}
