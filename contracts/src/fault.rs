//! What stops a node, as opposed to what refuses a transaction.

/// This node is broken or too old: it must stop with this message, never go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A stored record does not decode.
    #[error("the record {key} of the state does not decode: {reason}")]
    CorruptRecord {
        /// State key in hexadecimal.
        key: String,
        /// What the decoder met.
        reason: String,
    },
    /// State contradicts itself.
    #[error("the state contradicts itself: {what}")]
    Inconsistent {
        /// What was found.
        what: String,
    },
    /// A rule wrote to a table that it does not declare.
    #[error("the rule wrote to table {table}, which it does not declare")]
    UndeclaredWrite {
        /// Name of the table.
        table: &'static str,
    },
}
