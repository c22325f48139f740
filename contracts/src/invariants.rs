//! Invariants of the ledger (rule book 11): run after every block in tests and in the audit,
//! never as a transaction and never as a halt.
