//! The engine's write-ahead log with the double-sign guard behind its flush.
//!
//! Order for every signed message: append to the log, flush the log, save the guard's marks, and
//! only then does the engine publish. A crash before the flush forgets the message, which nobody
//! saw. A crash between flush and save replays it from the log. After the save both know it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cets_contracts::types::Height;
use eyre::eyre;
use malachitebft_app_channel::app::engine::node::NodeMsg;
use malachitebft_app_channel::app::engine::wal::{Msg, Wal, WalRef};
use malachitebft_app_channel::app::metrics::SharedRegistry;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{Span, error};

use crate::codec::WireCodec;
use crate::context::EngineContext;
use crate::guard::Guard;

/// Bytes of the version and the height at the start of the log.
const WAL_HEADER_BYTES: usize = 12;
/// How often the log is tried to be opened.
const LOCK_ATTEMPTS_MAX: u32 = 40;
/// Wait between two tries.
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// Height whose messages a log holds; `None` when there is no usable log.
///
/// A file shorter than its header is one whose creation was interrupted: it is removed.
pub fn logged_height(path: &Path) -> std::io::Result<Option<Height>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let height = header_height(&mut file)?;
    if height.is_none() {
        std::fs::remove_file(path)?;
    }
    Ok(height)
}

/// Height that the header of a log names; `None` when the header is cut off.
pub fn header_height(log: &mut impl Read) -> std::io::Result<Option<Height>> {
    let mut header = [0u8; WAL_HEADER_BYTES];
    match log.read_exact(&mut header) {
        Ok(()) => {
            let mut height = [0u8; 8];
            height.copy_from_slice(&header[4..]);
            Ok(Some(Height::new(u64::from_be_bytes(height))))
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Passes everything on to the engine's log and saves the guard after each flush.
struct GuardedLog {
    guard: Arc<Guard>,
}

/// Hears that the thread of the log died. The engine notices by itself, because its next flush
/// gets no answer; this only writes why.
struct LogWatch;

#[async_trait]
impl Actor for LogWatch {
    type Msg = NodeMsg;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<NodeMsg>,
        _arguments: (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<NodeMsg>,
        message: NodeMsg,
        _state: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let NodeMsg::SafetyFailure(reason) = message;
        error!(%reason, "the consensus log failed");
        Ok(())
    }
}

impl GuardedLog {
    async fn flush(&self, inner: &WalRef<EngineContext>) -> eyre::Result<()> {
        ractor::call!(inner, Msg::Flush).map_err(|error| eyre!("the log: {error}"))??;
        let guard = Arc::clone(&self.guard);
        tokio::task::spawn_blocking(move || guard.save()).await??;
        Ok(())
    }
}

#[async_trait]
impl Actor for GuardedLog {
    type Msg = Msg<EngineContext>;
    type State = WalRef<EngineContext>;
    type Arguments = WalRef<EngineContext>;

    async fn pre_start(
        &self,
        _myself: WalRef<EngineContext>,
        inner: WalRef<EngineContext>,
    ) -> Result<WalRef<EngineContext>, ActorProcessingErr> {
        Ok(inner)
    }

    async fn handle(
        &self,
        _myself: WalRef<EngineContext>,
        message: Msg<EngineContext>,
        inner: &mut WalRef<EngineContext>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::StartedHeight(height, reply) => {
                let entries = ractor::call!(inner, Msg::StartedHeight, height)?;
                let replays = entries.as_ref().is_ok_and(|entries| !entries.is_empty());
                self.guard.set_replaying(replays);
                reply.send(entries)?;
            }
            Msg::Flush(reply) => reply.send(self.flush(inner).await)?,
            message @ (Msg::Append(..) | Msg::Reset(..)) => {
                self.guard.set_replaying(false);
                inner.cast(message)?;
            }
            message @ Msg::Dump => inner.cast(message)?,
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: WalRef<EngineContext>,
        inner: &mut WalRef<EngineContext>,
    ) -> Result<(), ActorProcessingErr> {
        // An error only says that it has stopped already.
        inner.stop_and_wait(None, None).await.ok();
        Ok(())
    }
}

/// Opens the log and puts the guard behind it.
///
/// The log is locked; a life of the engine that just ended may hold the lock for a moment.
pub async fn spawn(path: &Path, guard: Arc<Guard>) -> eyre::Result<WalRef<EngineContext>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let (watch, _) = Actor::spawn(None, LogWatch, ()).await?;
    let mut attempts = 1u32;
    let inner = loop {
        let opened = Wal::spawn(
            &EngineContext,
            WireCodec,
            path.to_owned(),
            SharedRegistry::global().clone(),
            Span::current(),
            watch.clone(),
        );
        match opened.await {
            Ok(inner) => break inner,
            Err(_) if attempts < LOCK_ATTEMPTS_MAX => {
                attempts = attempts.saturating_add(1);
                tokio::time::sleep(LOCK_WAIT).await;
            }
            Err(error) => {
                watch.stop(None);
                let path = path.display();
                return Err(eyre!("the consensus log {path} cannot be opened: {error}"));
            }
        }
    };
    inner.link(watch.get_cell());
    let (log, _) = Actor::spawn(None, GuardedLog { guard }, inner).await?;
    watch.link(log.get_cell());
    Ok(log)
}
