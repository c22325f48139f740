//! Errors of the interface: the one place that turns them into gRPC statuses.
//!
//! A status carries one sentence as its message and, in the trailer [`ERROR_TRAILER`], a report in
//! JSON that programs read: kind, number, name, sentence, hint and article. Sentences are in the
//! language that the caller asks for with `accept-language` (`zh` or `en`).

use cets_contracts::rules::{Explanation, Language, Reject, RejectCode};
use cets_contracts::tx::EnvelopeError;
use serde::Serialize;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Status};

/// Name of the trailer that carries the report.
pub const ERROR_TRAILER: &str = "cets-error";
/// Most bytes of a sentence or a hint in the report; longer ones are cut.
const REPORT_TEXT_BYTES_MAX: usize = 1_024;

cets_contracts::reject_codes! { NODE_CODES:
    101 ARGUMENT_INVALID "Interface of the node" [field, reason]
        en "The argument {field} cannot be used: {reason}."
        zh "参数 {field} 无效：{reason}。"
        hint "See the interface definition (node/api/proto/cets.proto) for its form."
        hint_zh "参数格式见接口定义（node/api/proto/cets.proto）。";
    102 NOT_FOUND "Interface of the node" [what]
        en "There is no {what}."
        zh "不存在：{what}。"
        hint "Check the number, and that this node has caught up (GetStatus)."
        hint_zh "请核对编号，并确认本节点已同步（GetStatus）。";
    103 NOT_ALLOWED "Interim Regulations art. 5; access table of the node" [what]
        en "This account may not read {what}."
        zh "该账户无权读取：{what}。"
        hint "Read for the account concerned, or ask its province or the registry."
        hint_zh "请使用相关账户读取，或向其所在省、注册登记机构或审计机构查询。";
    104 TOKEN_INVALID "Access tokens of the interface" [reason]
        en "The access token is not accepted: {reason}."
        zh "访问令牌无效：{reason}。"
        hint "Sign a new token with a representative's key of the account, for this ledger."
        hint_zh "请用该账户代表的密钥为本账本重新签发令牌。";
    105 TOKEN_REQUIRED "Interim Regulations art. 5; access table of the node" [what]
        en "The public may not read {what}."
        zh "未公开，不得匿名读取：{what}。"
        hint "Say who reads: send an access token signed by a representative of an account."
        hint_zh "请提交由账户代表签名的访问令牌以表明身份。";
    106 OVERLOADED "Limits of the node" [what]
        en "This node is busy: {what}."
        zh "本节点繁忙：{what}。"
        hint "Try again in a second, or ask another node; nothing was taken."
        hint_zh "请稍后重试或改用其他节点；本次请求未被受理。";
    108 TIMED_OUT "Limits of the node" [millis]
        en "There is no answer after {millis} ms."
        zh "{millis} 毫秒内没有结果。"
        hint "A submitted transaction may still become final: ask GetTransaction first."
        hint_zh "已提交的交易仍可能生效：请先用 GetTransaction 查询，再决定是否重发。";
    109 STOPPING "Interface of the node" []
        en "This node is stopping."
        zh "本节点正在停止。"
        hint "Ask another node."
        hint_zh "请改用其他节点。";
    110 REQUEST_INVALID "Interface of the node" [reason]
        en "The request cannot be read: {reason}."
        zh "请求无法读取：{reason}。"
        hint "Requests are messages of node/api/proto/cets.proto within this node's limits."
        hint_zh "请求须为 node/api/proto/cets.proto 定义的 gRPC 消息，且不超过本节点的大小限制。";
    111 NODE_FAILED "Interface of the node" []
        en "This node could not answer; its log says why."
        zh "本节点未能完成请求，原因见节点日志。"
        hint "Ask another node and tell this node's operator the time of the request."
        hint_zh "请改用其他节点，并将请求时间告知本节点运维人员。";
}

/// A name in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

impl Words {
    /// The name in a language.
    pub const fn get(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

/// Limits as they are raised and as they are told in Chinese; `#` stands for a word that is kept,
/// such as a number.
const LIMITS: &[Words] = &[
    Words {
        en: "# transactions wait already; try again in a moment, or at another node",
        zh: "已有 # 笔交易等待",
    },
    Words {
        en: "# transactions wait whose account is not known here or whose signers do not act for \
             it; check account and key, and that this node has caught up",
        zh: "已有 # 笔账户未知或签名人无权的交易等待；请核对账户与密钥，并确认本节点已同步",
    },
    Words {
        en: "# transactions of account # wait already; let some become final first",
        zh: "已有 # 笔账户 # 的交易等待，请待其中一部分生效",
    },
    Words {
        en: "# calls in all are open already", zh: "全部客户端已有 # 个请求未完成"
    },
    Words {
        en: "# calls of one address are open already", zh: "同一地址已有 # 个请求未完成"
    },
    Words {
        en: "# streams in all are open already", zh: "全部客户端已打开 # 个数据流"
    },
    Words {
        en: "# streams of one address are open already", zh: "同一地址已打开 # 个数据流"
    },
    Words {
        en: "# submission streams in all are open already", zh: "全部客户端已打开 # 个提交流"
    },
    Words {
        en: "# submission streams of one address are open already",
        zh: "同一地址已打开 # 个提交流",
    },
    Words {
        en: "submissions of # bytes are being checked already",
        zh: "已有 # 字节的提交正在核对",
    },
    Words {
        en: "another past state is being loaded; try again in ten seconds",
        zh: "正在读取另一历史高度的状态，请十秒后重试",
    },
    Words {
        en: "answers of # bytes wait to be read already", zh: "已有 # 字节的应答等待读取"
    },
];
/// A limit that [`LIMITS`] does not know.
const LIMIT_OF_OTHER_KIND: &str = "已达到本节点的上限";

/// What a limit says, in a language.
fn limit_words(what: &str, language: Language) -> String {
    if language == Language::English {
        return what.to_owned();
    }
    let known = LIMITS.iter().find_map(|limit| Some((limit.zh, kept_words(limit.en, what)?)));
    known.map_or_else(
        || LIMIT_OF_OTHER_KIND.to_owned(),
        |(zh, kept)| kept.iter().fold(zh.to_owned(), |zh, word| zh.replacen('#', word, 1)),
    )
}

/// The words that stand where a pattern has `#`; none when the rest differs.
fn kept_words<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let (mut pattern, mut words) = (pattern.split(' '), text.split(' '));
    let mut kept = Vec::new();
    loop {
        match (pattern.next(), words.next()) {
            (None, None) => return Some(kept),
            (Some("#"), Some(word)) => kept.push(word),
            (Some(expected), Some(word)) if expected == word => {}
            _ => return None,
        }
    }
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcError {
    /// The envelope of a transaction is wrong.
    Envelope(EnvelopeError),
    /// A rule refuses the transaction on the newest state.
    Rule(Reject),
    /// An argument has no meaning.
    Argument {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What is asked for does not exist.
    NotFound {
        /// What.
        what: String,
    },
    /// The account may not read it.
    NotAllowed {
        /// What.
        what: Words,
    },
    /// The access token proves nothing.
    TokenInvalid {
        /// Why.
        reason: String,
    },
    /// Only known callers may read it.
    TokenRequired {
        /// What.
        what: Words,
    },
    /// A limit is reached.
    Overloaded {
        /// Which.
        what: String,
    },
    /// It took too long.
    TimedOut {
        /// How long was waited.
        millis: u64,
    },
    /// The node stops.
    Stopping,
    /// The message cannot be read.
    Request {
        /// Why.
        reason: String,
    },
    /// The node failed; the cause is in its log.
    Failed,
}

impl From<EnvelopeError> for RpcError {
    fn from(error: EnvelopeError) -> Self {
        Self::Envelope(error)
    }
}

/// The report in the trailer.
#[derive(Serialize)]
struct Report<'a> {
    kind: &'static str,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

impl RpcError {
    /// A failure of this node: the cause goes to the log, never to the caller.
    pub fn failed(cause: impl core::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::Failed
    }

    /// What kind it is, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Envelope(_) => "envelope",
            Self::Rule(_) => "rule",
            Self::Argument { .. } | Self::Request { .. } => "argument",
            Self::NotFound { .. } => "not_found",
            Self::NotAllowed { .. } | Self::TokenInvalid { .. } | Self::TokenRequired { .. } => {
                "access"
            }
            Self::Overloaded { .. } => "overloaded",
            Self::Stopping => "unavailable",
            Self::TimedOut { .. } => "timeout",
            Self::Failed => "internal",
        }
    }

    /// The gRPC code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Envelope(error) => match error {
                EnvelopeError::BadSignature { .. } => Code::Unauthenticated,
                EnvelopeError::Replayed { .. } => Code::AlreadyExists,
                EnvelopeError::WrongChain { .. } | EnvelopeError::Expired { .. } => {
                    Code::FailedPrecondition
                }
                _ => Code::InvalidArgument,
            },
            Self::Rule(_) => Code::FailedPrecondition,
            Self::Argument { .. } | Self::Request { .. } => Code::InvalidArgument,
            Self::NotFound { .. } => Code::NotFound,
            Self::NotAllowed { .. } => Code::PermissionDenied,
            Self::TokenInvalid { .. } | Self::TokenRequired { .. } => Code::Unauthenticated,
            Self::Overloaded { .. } => Code::ResourceExhausted,
            Self::Stopping => Code::Unavailable,
            Self::TimedOut { .. } => Code::DeadlineExceeded,
            Self::Failed => Code::Internal,
        }
    }

    /// The error in words.
    pub fn explain(&self, language: Language) -> Explanation {
        let (code, facts): (&RejectCode, Vec<String>) = match self {
            Self::Envelope(error) => return error.explain(language),
            Self::Rule(reject) => return reject.explain(language),
            Self::Argument { field, reason } => {
                (&ARGUMENT_INVALID, vec![(*field).to_owned(), reason.clone()])
            }
            Self::NotFound { what } => (&NOT_FOUND, vec![what.clone()]),
            Self::NotAllowed { what } => (&NOT_ALLOWED, vec![what.get(language).to_owned()]),
            Self::TokenInvalid { reason } => (&TOKEN_INVALID, vec![reason.clone()]),
            Self::TokenRequired { what } => (&TOKEN_REQUIRED, vec![what.get(language).to_owned()]),
            Self::Overloaded { what } => (&OVERLOADED, vec![limit_words(what, language)]),
            Self::TimedOut { millis } => (&TIMED_OUT, vec![millis.to_string()]),
            Self::Stopping => (&STOPPING, vec![]),
            Self::Request { reason } => (&REQUEST_INVALID, vec![reason.clone()]),
            Self::Failed => (&NODE_FAILED, vec![]),
        };
        code.explain(language, &facts)
    }

    /// The report as JSON, in ASCII so that a trailer can carry it.
    pub fn report(&self, language: Language) -> String {
        let mut explanation = self.explain(language);
        for text in [&mut explanation.sentence, &mut explanation.hint] {
            text.truncate(text.floor_char_boundary(REPORT_TEXT_BYTES_MAX));
        }
        let report = Report { kind: self.kind(), explanation: &explanation };
        let json = serde_json::to_string(&report).expect("texts and numbers have a JSON form");
        ascii_json(&json)
    }

    /// The status with its sentence and its trailer.
    pub fn into_status(self, language: Language) -> Status {
        let report = self.report(language);
        let sentence = self.explain(language).sentence;
        let mut metadata = MetadataMap::new();
        if let Ok(value) = AsciiMetadataValue::try_from(report) {
            metadata.insert(ERROR_TRAILER, value);
        }
        Status::with_metadata(self.code(), sentence, metadata)
    }
}

/// JSON with everything outside of printable ASCII written as `\uXXXX`.
fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if (' '..='~').contains(&character) {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// The language that a caller asks for: Chinese when its first choice is, else English.
pub fn language_of(accept_language: Option<&[u8]>) -> Language {
    let first = accept_language.and_then(|value| value.get(..2));
    if first.is_some_and(|tag| tag.eq_ignore_ascii_case(b"zh")) {
        Language::Chinese
    } else {
        Language::English
    }
}

#[cfg(test)]
mod tests {
    use cets_contracts::types::{AccountId, Role};

    use super::super::access::Subject;
    use super::super::answers::{Budget, Reserved};
    use super::super::shares::Places;
    use super::*;
    use crate::mempool::SubmitError;
    use crate::read::ProveError;

    fn one_of_each() -> Vec<RpcError> {
        vec![
            RpcError::Argument { field: "account", reason: "x".to_owned() },
            RpcError::NotFound { what: "block 9".to_owned() },
            RpcError::NotAllowed { what: Subject::Units.name() },
            RpcError::TokenInvalid { reason: "the token has expired".to_owned() },
            RpcError::TokenRequired { what: Subject::Units.name() },
            RpcError::Overloaded { what: "the mempool is full".to_owned() },
            RpcError::TimedOut { millis: 30_000 },
            RpcError::Stopping,
            RpcError::Request { reason: "too large".to_owned() },
            RpcError::Failed,
        ]
    }

    #[test]
    fn every_error_of_the_node_has_its_own_number_and_words_in_both_languages() {
        let errors = one_of_each();
        assert_eq!(errors.len(), NODE_CODES.len());
        for (error, code) in errors.iter().zip(NODE_CODES) {
            for language in [Language::English, Language::Chinese] {
                let explanation = error.explain(language);
                assert_eq!(explanation.number, code.number);
                assert!((100..200).contains(&explanation.number));
                assert!(!explanation.sentence.contains('{'), "{}", explanation.sentence);
            }
        }
    }

    /// Every limit as the parts of a node raise it.
    fn limits() -> Vec<RpcError> {
        let account = AccountId::new(Role::KeyEmittingEntity, 1).unwrap();
        let pool = [
            SubmitError::PoolFull { waiting: 9 },
            SubmitError::StrangersFull { waiting: 9 },
            SubmitError::AccountFull { account, waiting: 9 },
        ];
        let mut limits: Vec<RpcError> =
            pool.map(|error| RpcError::Overloaded { what: error.to_string() }).into();
        for whose in ["in all", "of one address"] {
            for what in ["calls", "streams", "submission streams"] {
                let what: &'static str = format!("{what} {whose}").leak();
                limits.push(Places::new(0, what).take(None).unwrap_err());
            }
        }
        for budget in [Budget::of_answers(0), Budget::of_submissions(0)] {
            limits.push(budget.take(None, &Reserved(usize::MAX)).unwrap_err());
        }
        limits.push(RpcError::Overloaded { what: ProveError::Busy.to_string() });
        limits
    }

    /// A sentence without the numbers of accounts.
    fn without_identifiers(sentence: &str) -> String {
        sentence.replace("CN-KEE-", "").replace(" ms", "")
    }

    #[test]
    fn sentences_in_chinese_hold_no_words_of_another_language() {
        let limits = limits();
        assert_eq!(limits.len(), LIMITS.len());
        let subjects = Subject::ALL.map(Subject::name);
        let mut errors: Vec<RpcError> = limits;
        errors.extend(subjects.map(|what| RpcError::NotAllowed { what }));
        errors.extend(subjects.map(|what| RpcError::TokenRequired { what }));
        errors.push(RpcError::TimedOut { millis: 9 });
        errors.extend([RpcError::Stopping, RpcError::Failed]);
        errors.push(RpcError::Overloaded { what: "a limit of another kind".to_owned() });
        let mut told = std::collections::BTreeSet::new();
        for error in &errors {
            let sentence = error.explain(Language::Chinese).sentence;
            let latin = without_identifiers(&sentence).chars().any(|c| c.is_ascii_alphabetic());
            assert!(!latin && !sentence.contains('#'), "{sentence}");
            told.insert(sentence);
        }
        assert_eq!(told.len(), errors.len(), "each says something else: {told:?}");
    }

    #[test]
    fn the_trailer_is_ascii_and_reads_back_as_the_chinese_report() {
        let error = RpcError::TimedOut { millis: 7 };
        let status = error.clone().into_status(Language::Chinese);
        let trailer = status.metadata().get(ERROR_TRAILER).unwrap().to_str().unwrap();
        let report: serde_json::Value = serde_json::from_str(trailer).unwrap();
        assert_eq!(report["kind"], "timeout");
        assert_eq!(report["number"], 108);
        assert_eq!(report["name"], "TIMED_OUT");
        assert_eq!(report["sentence"], error.explain(Language::Chinese).sentence);
        assert_eq!(status.message(), "7 毫秒内没有结果。");
    }

    #[test]
    fn characters_beyond_the_basic_plane_survive_the_trailer() {
        let json = ascii_json(r#""a\u0009𝄞中""#);
        assert!(json.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\t𝄞中");
    }

    #[test]
    fn the_first_language_of_the_caller_counts() {
        assert_eq!(language_of(Some(b"zh-CN,en;q=0.8")), Language::Chinese);
        assert_eq!(language_of(Some(b"ZH")), Language::Chinese);
        assert_eq!(language_of(Some(b"en,zh")), Language::English);
        assert_eq!(language_of(Some(b"z")), Language::English);
        assert_eq!(language_of(None), Language::English);
    }
}
