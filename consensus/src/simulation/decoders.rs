//! The decoders of everything the engine receives, logs or fetches, for tests that feed them bytes.

use std::io;

use bytes::Bytes;
use cets_contracts::types::Height;
use malachitebft_app_channel::app::consensus::{LivenessMsg, SignedConsensusMsg};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use malachitebft_app_channel::app::types::ProposedValue;
use malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, PolkaCertificate, RoundCertificate, ValidatorProof,
};
use malachitebft_app_channel::app::types::sync::{Request, Response, Status};
use malachitebft_app_channel::app::wal::log::Log;

use super::LogFile;
use super::log::entries_of;
use crate::codec::{SyncedBlock, Wire, WireCodec};
use crate::context::{BlockPart, EngineContext};
use crate::log_check::{LogFindings, check_bytes};
use crate::streams::{StreamKey, StreamPart, Streams};

/// What bytes claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A vote or a proposal.
    Consensus,
    /// A vote or a certificate sent again.
    Liveness,
    /// A part of a proposed block.
    Part,
    /// How far a node is.
    Status,
    /// A request for blocks.
    Request,
    /// Blocks that were asked for.
    Response,
    /// A proposed value, as the log keeps it.
    ProposedValue,
    /// The proof that a peer holds a validator's key.
    ValidatorProof,
    /// Prevotes of a quorum.
    PolkaCertificate,
    /// Votes of a quorum that ended a round.
    RoundCertificate,
    /// Precommits of a quorum.
    CommitCertificate,
    /// A block with its certificate.
    SyncedBlock,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Consensus,
        Self::Liveness,
        Self::Part,
        Self::Status,
        Self::Request,
        Self::Response,
        Self::ProposedValue,
        Self::ValidatorProof,
        Self::PolkaCertificate,
        Self::RoundCertificate,
        Self::CommitCertificate,
        Self::SyncedBlock,
    ];

    /// Decodes and encodes again; none when the bytes are refused.
    pub fn reencode(self, bytes: &Bytes) -> Option<Bytes> {
        match self {
            Self::Consensus => again::<SignedConsensusMsg<EngineContext>>(bytes),
            Self::Liveness => again::<LivenessMsg<EngineContext>>(bytes),
            Self::Part => again::<StreamMessage<BlockPart>>(bytes),
            Self::Status => again::<Status<EngineContext>>(bytes),
            Self::Request => again::<Request<EngineContext>>(bytes),
            Self::Response => again::<Response<EngineContext>>(bytes),
            Self::ProposedValue => again::<ProposedValue<EngineContext>>(bytes),
            Self::ValidatorProof => again::<ValidatorProof<EngineContext>>(bytes),
            Self::PolkaCertificate => again::<PolkaCertificate<EngineContext>>(bytes),
            Self::RoundCertificate => again::<RoundCertificate<EngineContext>>(bytes),
            Self::CommitCertificate => again::<ExtendedCommitCertificate<EngineContext>>(bytes),
            Self::SyncedBlock => {
                SyncedBlock::decode(bytes.clone()).ok().map(|block| block.encode())
            }
        }
    }
}

fn again<T: Wire>(bytes: &Bytes) -> Option<Bytes> {
    let message: T = WireCodec.decode(bytes.clone()).ok()?;
    WireCodec.encode(&message).ok()
}

/// Length that an answer with blocks says it will have, of the bytes of one.
pub fn response_length(bytes: &Bytes) -> Option<usize> {
    let response: Response<EngineContext> = WireCodec.decode(bytes.clone()).ok()?;
    WireCodec.encoded_len(&response).ok()
}

/// What is read from a consensus log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLog {
    /// Whether each entry is a message; the last one may be one that cannot be read.
    pub entries: Vec<bool>,
    /// Content of the log after it was read: what cannot be read is cut off.
    pub content: Vec<u8>,
}

/// Reads a consensus log as the engine does.
///
/// # Errors
/// When the log cannot be opened.
pub fn read_log(content: &[u8]) -> io::Result<ReadLog> {
    let file = LogFile::with(content);
    let shared = file.clone();
    let mut log = Log::<LogFile>::open_with("fuzz.wal", file)?;
    let entries = entries_of(&mut log)?.iter().map(Result::is_ok).collect();
    Ok(ReadLog { entries, content: shared.content() })
}

/// What a node finds in a consensus log before the engine opens it; none when it is damaged.
pub fn log_findings(content: &[u8]) -> Option<LogFindings> {
    check_bytes(content).ok()
}

/// Content of a consensus log with these entries, none of which is interpreted.
///
/// # Errors
/// When they cannot be written.
pub fn log_content(height: Height, entries: &[Bytes]) -> io::Result<Vec<u8>> {
    let file = LogFile::with(&[]);
    let content = file.clone();
    let mut log = Log::<LogFile>::open_with("fuzz.wal", file)?;
    log.reset(height.get())?;
    entries.iter().try_for_each(|entry| log.append(entry))?;
    log.flush()?;
    Ok(content.content())
}

/// Block streams, fed with messages as they arrive.
#[derive(Debug, Default)]
pub struct PartStreams(Streams);

impl PartStreams {
    /// Takes a message of a publisher; gives announced and real size of the block it completes.
    pub fn take(&mut self, tip: Height, publisher: u8, message: &Bytes) -> Option<(u64, usize)> {
        let message: StreamMessage<BlockPart> = WireCodec.decode(message.clone()).ok()?;
        let publisher = Bytes::copy_from_slice(&[publisher]);
        let key = StreamKey { publisher, stream: message.stream_id.to_bytes() };
        let part = match message.content {
            StreamContent::Data(part) => StreamPart::Part(part),
            StreamContent::Fin => StreamPart::End,
        };
        let block = self.0.add(tip, key, message.sequence, part).ok().flatten()?;
        let sizes = (block.start.block_bytes, block.bytes.len());
        // One that waits for its height is held as well.
        self.0.wait(block).ok();
        Some(sizes)
    }

    /// A block was committed.
    pub fn commit(&mut self, tip: Height) {
        self.0.committed(tip);
        drop(self.0.started(tip.next()));
    }

    /// Bytes held, and those counted anew.
    pub fn bytes_held(&self) -> (usize, usize) {
        (self.0.bytes_held(), self.0.bytes_counted())
    }
}
