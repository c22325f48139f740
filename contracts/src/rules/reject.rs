//! Reject codes: numbered, append-only; text for people is made from them at the edge.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::state::ParameterName;
use crate::types::{
    AccountId, ArithmeticError, BusinessDate, Digest, Fen, Instrument, PublicKey, Role,
    SerialRange, TaskId, Tonnes, Vintage,
};

/// One reason for which rules refuse transactions.
///
/// The sentences name facts in braces: `{asked}`.
#[derive(Debug, PartialEq, Eq)]
pub struct RejectCode {
    /// Number in receipts. The thousands name the module: 1 common, 2 governance, 3 accounts,
    /// 4 settlement, 5 allowances, 6 compliance, 7 reductions, 8 enforcement. Below 1000 are
    /// answers that no receipt carries: 1 to 99 the envelope, 100 to 199 the node.
    pub number: u16,
    /// Name: the rule that was broken.
    pub name: &'static str,
    /// Article or specification.
    pub article: &'static str,
    /// Names of the facts, in the order of the receipt.
    pub facts: &'static [&'static str],
    /// What is wrong, in English.
    pub en: &'static str,
    /// What is wrong, in Chinese.
    pub zh: &'static str,
    /// What to do, in English.
    pub hint_en: &'static str,
    /// What to do, in Chinese.
    pub hint_zh: &'static str,
}

impl RejectCode {
    /// A refusal for this reason.
    pub fn reject(&'static self, facts: Vec<Fact>) -> Reject {
        debug_assert_eq!(facts.len(), self.facts.len(), "{}", self.name);
        Reject { number: self.number, facts }
    }
}

/// A refusal: the number of its code and the facts that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Number of the [`RejectCode`].
    pub number: u16,
    /// Facts in the order that the code names them.
    pub facts: Vec<Fact>,
}

impl Reject {
    /// The code.
    pub fn code(&self) -> Option<&'static RejectCode> {
        super::reject_code(self.number)
    }
}

/// A fact of a refusal. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// An account.
    Account(AccountId),
    /// Tonnes.
    Tonnes(Tonnes),
    /// Money.
    Fen(Fen),
    /// A day.
    Date(BusinessDate),
    /// A compliance year or vintage.
    Vintage(Vintage),
    /// An instrument.
    Instrument(Instrument),
    /// A range of serials.
    Range(SerialRange),
    /// A count or another plain number.
    Number(u64),
    /// A role.
    Role(Role),
    /// A public key.
    Key(PublicKey),
    /// A task.
    Task(TaskId),
    /// A digest.
    Digest(Digest),
    /// A parameter.
    Parameter(ParameterName),
}

macro_rules! facts {
    ($($type:ty => $variant:ident),+ $(,)?) => {
        $(impl From<$type> for Fact {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

facts! {
    AccountId => Account, Tonnes => Tonnes, Fen => Fen, BusinessDate => Date, Vintage => Vintage,
    Instrument => Instrument, SerialRange => Range, u64 => Number, Role => Role,
    PublicKey => Key, TaskId => Task, Digest => Digest, ParameterName => Parameter,
}

impl core::fmt::Display for Fact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Account(value) => value.fmt(f),
            Self::Tonnes(value) => value.fmt(f),
            Self::Fen(value) => value.fmt(f),
            Self::Date(value) => value.fmt(f),
            Self::Vintage(value) => value.fmt(f),
            Self::Instrument(value) => value.fmt(f),
            Self::Range(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Role(value) => f.write_str(value.english()),
            Self::Key(value) => value.fmt(f),
            Self::Task(value) => value.fmt(f),
            Self::Digest(value) => value.fmt(f),
            Self::Parameter(value) => f.write_str(value.name()),
        }
    }
}

/// Why a rule did not apply: the transaction is wrong, or this node is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abort {
    /// Deterministic; goes into the receipt.
    Reject(Reject),
    /// Stops the node.
    Fault(Fault),
}

impl From<Reject> for Abort {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<Fault> for Abort {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ArithmeticError> for Abort {
    fn from(_: ArithmeticError) -> Self {
        Self::Reject(super::common::AMOUNT_TOO_LARGE.reject(vec![]))
    }
}

impl From<ArithmeticError> for Reject {
    fn from(_: ArithmeticError) -> Self {
        super::common::AMOUNT_TOO_LARGE.reject(vec![])
    }
}

/// Language of sentences for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

/// A refusal in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Number of the code.
    pub number: u16,
    /// Name of the code.
    pub name: String,
    /// What is wrong.
    pub sentence: String,
    /// What to do.
    pub hint: String,
    /// Article or specification.
    pub article: String,
}

impl Reject {
    /// The refusal in words.
    pub fn explain(&self, language: Language) -> Explanation {
        let Some(code) = self.code() else {
            return Explanation {
                number: self.number,
                name: "UNKNOWN".to_owned(),
                sentence: format!("code {} is unknown to this program", self.number),
                hint: "use a newer version".to_owned(),
                article: String::new(),
            };
        };
        let facts: Vec<String> = self.facts.iter().map(ToString::to_string).collect();
        code.explain(language, &facts)
    }
}

impl RejectCode {
    /// The code in words, with facts in the order that it names them.
    pub fn explain(&self, language: Language, facts: &[String]) -> Explanation {
        let (sentence, hint) = match language {
            Language::English => (self.en, self.hint_en),
            Language::Chinese => (self.zh, self.hint_zh),
        };
        let fill = |text: &str| {
            self.facts.iter().zip(facts).fold(text.to_owned(), |text, (name, fact)| {
                text.replace(&format!("{{{name}}}"), fact)
            })
        };
        Explanation {
            number: self.number,
            name: self.name.to_owned(),
            sentence: fill(sentence),
            hint: fill(hint),
            article: self.article.to_owned(),
        }
    }
}

/// Defines reject codes as constants and lists them.
///
/// `NUMBER NAME "article" [facts] en "…" zh "…" hint "…" hint_zh "…";`
#[macro_export]
macro_rules! reject_codes {
    ($list:ident: $($number:literal $name:ident $article:literal [$($fact:ident),*]
        en $en:literal zh $zh:literal hint $hint:literal hint_zh $hint_zh:literal;)+) => {
        $(
            #[doc = $en]
            pub static $name: $crate::rules::RejectCode = $crate::rules::RejectCode {
                number: $number,
                name: stringify!($name),
                article: $article,
                facts: &[$(stringify!($fact)),*],
                en: $en,
                zh: $zh,
                hint_en: $hint,
                hint_zh: $hint_zh,
            };
        )+

        /// The codes above.
        pub static $list: &[&$crate::rules::RejectCode] = &[$(&$name),+];
    };
}
