//! The task that cosigns.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{CheckpointVote, Checkpoints};
use crate::read::TipSummary;
use crate::store::StoreError;

/// Shortest time between two looks at the log. Far below the second between two checkpoints, so
/// that no validator misses one that the others sign; it slows a node that catches up.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// Why cosigning ended.
#[derive(Debug, thiserror::Error)]
pub enum CosigningError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A look at the log did not end well.
    #[error("a look at the log failed: {0}")]
    Look(tokio::task::JoinError),
}

/// Cosigns the newest checkpoint as blocks are committed; without a key it only gathers.
#[derive(Debug)]
pub struct Cosigner {
    /// The checkpoints of the node.
    pub checkpoints: Checkpoints,
    /// The cosigner key, of a validator.
    pub key: Option<SigningKey>,
    /// The newest block, renewed by each commit.
    pub commits: watch::Receiver<TipSummary>,
    /// Where own cosignatures leave the node.
    pub outgoing: mpsc::Sender<CheckpointVote>,
}

impl Cosigner {
    /// Runs until it is told to stop or the ledger ends.
    ///
    /// # Errors
    /// [`CosigningError`]; the node cannot go on.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), CosigningError> {
        loop {
            self.look().await?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_PAUSE) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = self.commits.changed() => if changed.is_err() {
                    return Ok(());
                },
            }
        }
    }

    async fn look(&mut self) -> Result<(), CosigningError> {
        self.commits.mark_unchanged();
        let (checkpoints, key) = (self.checkpoints.clone(), self.key.clone());
        let look = tokio::task::spawn_blocking(move || checkpoints.advance(key.as_ref()));
        if let Some(vote) = look.await.map_err(CosigningError::Look)?? {
            // Gossip that is busy or gone misses this one and gets the next.
            self.outgoing.try_send(vote).ok();
        }
        Ok(())
    }
}
