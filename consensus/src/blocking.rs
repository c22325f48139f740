//! Work that may block, on a thread that may.

use tokio::runtime::Handle;

/// The work panicked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(String);

/// Runs what may block on a thread that may block. Where no runtime is there are no such threads,
/// as in a simulation: it runs in place.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    if Handle::try_current().is_err() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|panic| Panicked(panic.to_string()))
}
