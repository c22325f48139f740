//! Transactions that wait for a block.
//!
//! # What is admitted
//! Everything whose envelope could stand in the next block: decodes, fits the limits, this chain,
//! not expired, not ordered before, signatures valid. Whether its *rule* will apply is not asked:
//! an ordered transaction gets one final, provable answer by its receipt, also when that answer is
//! a refusal. Who wants to know beforehand simulates. A flood of transactions that will be
//! refused is bounded by the limit per account.
//!
//! Strangers, whose account does not exist or who do not represent it, are answered but not
//! ordered: only so many wait, in room of their own, and the next block decides: whoever is still a
//! stranger in it or after it is dropped and told why.
//!
//! # Order
//! First come, first served. Signatures are verified in batches on threads of their own; what was
//! verified here is not verified again when a block carries the very same bytes.

mod fresh;
mod limits;
mod pool;
mod queue;
mod submit;
mod waiters;

pub use fresh::Fresh;
pub use limits::MempoolLimits;
pub use pool::{PoolSize, PooledTransaction};
pub(crate) use queue::verify_signatures;
pub use queue::{Forget, Mempool, Origin};
pub use submit::SubmitError;
pub use waiters::WaitEnd;
