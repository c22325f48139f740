//! The macro behind the table of rules: payload and event enums, dispatch and the list of rules.

use super::{Authority, RejectCode};
use crate::state::Table;

/// A rule as the command line, the documentation, the fuzzers and the vectors iterate it.
#[derive(Clone, Copy, Debug)]
pub struct RuleEntry {
    /// Tag of the payload in the canonical codec; append-only, never reused.
    pub tag: u32,
    /// Stable verb.
    pub name: &'static str,
    /// Module that holds it.
    pub module: &'static str,
    /// Who may call it.
    pub authority: Authority,
    /// Tables it may write.
    pub writes: &'static [Table],
    /// Codes that it alone raises.
    pub rejects: &'static [&'static RejectCode],
    /// A well-formed order.
    pub example: fn() -> super::Payload,
}

/// Writes the [`super::Payload`] and [`super::Event`] enums, their dispatch and [`super::RULES`].
macro_rules! rules {
    ($($tag:literal $name:ident => $module:ident :: $file:ident :: $rule:ident),+ $(,)?) => {
        /// An order: one variant per rule, in the order of their tags.
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Payload {
            $(
                #[doc = concat!("See [`", stringify!($module), "::", stringify!($file), "`].")]
                $rule($module::$file::$rule),
            )+
        }

        /// What happened: one variant per rule, in the order of their tags.
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Event {
            $(
                #[doc = concat!("See [`", stringify!($module), "::", stringify!($file), "`].")]
                $rule(<$module::$file::$rule as Rule>::Event),
            )+
        }

        $(
            impl From<<$module::$file::$rule as Rule>::Event> for Event {
                fn from(event: <$module::$file::$rule as Rule>::Event) -> Self {
                    Self::$rule(event)
                }
            }

            impl From<$module::$file::$rule> for Payload {
                fn from(order: $module::$file::$rule) -> Self {
                    Self::$rule(order)
                }
            }
        )+

        impl Payload {
            /// The rule of this order.
            pub const fn rule(&self) -> &'static RuleEntry {
                match self {
                    $(Self::$rule(_) => {
                        const ENTRY: &RuleEntry = &RuleEntry {
                            tag: $tag,
                            name: <$module::$file::$rule as Rule>::NAME,
                            module: stringify!($module),
                            authority: <$module::$file::$rule as Rule>::AUTHORITY,
                            writes: <$module::$file::$rule as Rule>::WRITES,
                            rejects: <$module::$file::$rule as Rule>::REJECTS,
                            example: || {
                                Payload::$rule(<$module::$file::$rule as Rule>::example())
                            },
                        };
                        ENTRY
                    })+
                }
            }

            /// Checks shape and limits.
            pub(crate) fn check(&self, tx: &TxContext) -> Result<(), Reject> {
                match self {
                    $(Self::$rule(order) => order.check(tx),)+
                }
            }

            /// Applies the order with its rule's tables open for writing.
            pub(crate) fn apply(
                &self,
                tx: &TxContext,
                state: &mut $crate::state::Overlay<'_>,
            ) -> Result<Event, Abort> {
                state.with_tables(self.rule().writes, |state| match self {
                    $(Self::$rule(order) => order.apply(tx, state).map(Event::$rule),)+
                })
            }
        }

        /// All rules, in the order of their tags.
        pub const RULES: &[&RuleEntry] = &[
            $(&RuleEntry {
                tag: $tag,
                name: <$module::$file::$rule as Rule>::NAME,
                module: stringify!($module),
                authority: <$module::$file::$rule as Rule>::AUTHORITY,
                writes: <$module::$file::$rule as Rule>::WRITES,
                rejects: <$module::$file::$rule as Rule>::REJECTS,
                example: || Payload::$rule(<$module::$file::$rule as Rule>::example()),
            },)+
        ];

        /// All reject codes: those that rules share, then each rule's own.
        pub fn reject_codes() -> impl Iterator<Item = &'static RejectCode> {
            common::REJECTS
                .iter()
                .chain(RULES.iter().flat_map(|rule| rule.rejects))
                .copied()
        }

        /// The reject code of a number.
        pub fn reject_code(number: u16) -> Option<&'static RejectCode> {
            reject_codes().find(|code| code.number == number)
        }

        #[cfg(test)]
        mod table_tests {
            use super::*;

            #[test]
            fn tags_in_the_table_are_those_of_the_encoding() {
                $(
                    let example = Payload::$rule(<$module::$file::$rule as Rule>::example());
                    assert_eq!($crate::codec::encode(&example)[0], $tag, stringify!($name));
                    assert_eq!(<$module::$file::$rule as Rule>::NAME, stringify!($name));
                    assert_eq!(stringify!($name), stringify!($file));
                )+
            }

            #[test]
            fn names_and_reject_numbers_are_unique() {
                let names: std::collections::BTreeSet<_> =
                    RULES.iter().map(|rule| rule.name).collect();
                assert_eq!(names.len(), RULES.len());
                let numbers: std::collections::BTreeSet<_> =
                    reject_codes().map(|code| code.number).collect();
                assert_eq!(numbers.len(), reject_codes().count());
            }

            #[test]
            fn no_rule_declares_a_table_that_follows_from_others() {
                for rule in RULES {
                    let derived = rule.writes.iter().find(|table| !table.is_committed());
                    assert_eq!(derived, None, "{}", rule.name);
                }
            }

            #[test]
            fn sentences_name_only_facts_that_their_code_has() {
                for code in reject_codes() {
                    for text in [code.en, code.zh, code.hint_en, code.hint_zh] {
                        for part in text.split('{').skip(1) {
                            let (name, _) = part.split_once('}').unwrap();
                            assert!(code.facts.contains(&name), "{} {name}", code.name);
                        }
                    }
                }
            }

            #[test]
            fn examples_pass_their_own_checks_and_survive_json() {
                for rule in RULES {
                    let example = (rule.example)();
                    let tx = TxContext::for_documentation();
                    assert_eq!(example.check(&tx), Ok(()), "{}", rule.name);
                    let json = serde_json::to_string(&example).unwrap();
                    assert_eq!(serde_json::from_str::<Payload>(&json).unwrap(), example);
                }
            }
        }
    };
}

pub(super) use rules;
