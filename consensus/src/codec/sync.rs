//! Status, requests and answers between nodes of which one is behind.

use bytes::{Bytes, BytesMut};
use cets_contracts::block::{BLOCK_BYTES_MAX, Certificate, CommitSignature, VALIDATORS_MAX};
use malachitebft_app_channel::app::types::PeerId;
use malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachitebft_sync::{ValueRequest, ValueResponse};

use super::fields::{put_list, put_string};
use super::messages::PEER_ID_BYTES_MAX;
use super::{Input, Sink, Wire, WireError};
use crate::context::{EngineContext, EngineHeight};

/// Most blocks of one answer.
const BLOCKS_PER_ANSWER_MAX: usize = 256;
/// Longest synced block with its certificate in bytes.
const SYNCED_BLOCK_BYTES_MAX: usize = BLOCK_BYTES_MAX + 128 * VALIDATORS_MAX + 128;

impl Wire for CommitSignature {
    fn put(&self, sink: &mut impl Sink) {
        self.validator.put(sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self { validator: Wire::read(input)?, signature: Wire::read(input)? })
    }
}

impl Wire for Certificate {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        self.round.put(sink);
        self.block_id.put(sink);
        put_list(&self.signatures, sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: Wire::read(input)?,
            block_id: Wire::read(input)?,
            signatures: input.list(VALIDATORS_MAX, "the commit signatures")?,
        })
    }
}

/// A block as it travels to a node that is behind.
///
/// It carries its certificate a second time, beside the one the engine checks, because the engine
/// does not show its own to the application: a block that does not execute here although a valid
/// certificate names it must stop this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedBlock {
    /// Who decided it.
    pub certificate: Certificate,
    /// Canonical bytes of the block.
    pub block: Bytes,
}

impl SyncedBlock {
    /// Certificate, then the block to the end.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        self.certificate.put(&mut bytes);
        bytes.extend_from_slice(&self.block);
        bytes.freeze()
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let mut input = Input::new(bytes);
        Ok(Self { certificate: Wire::read(&mut input)?, block: input.rest() })
    }
}

impl Wire for RawDecidedValue<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.certificate.put(sink);
        put_string(&self.value_bytes, sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let certificate = Wire::read(input)?;
        let value_bytes = input.string(SYNCED_BLOCK_BYTES_MAX, "the synced block")?;
        Ok(Self::new(value_bytes, certificate))
    }
}

impl Wire for Status<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        put_string(&self.peer_id.to_bytes(), sink);
        self.tip_height.put(sink);
        self.history_min_height.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let peer_id = input.string(PEER_ID_BYTES_MAX, "the peer id")?;
        Ok(Self {
            peer_id: PeerId::from_bytes(&peer_id)
                .map_err(|_| WireError::Range { what: "the peer id" })?,
            tip_height: Wire::read(input)?,
            history_min_height: Wire::read(input)?,
        })
    }
}

impl Wire for Request<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        let Self::ValueRequest(request) = self;
        request.range.start().put(sink);
        request.range.end().put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let (start, end) = (EngineHeight::read(input)?, EngineHeight::read(input)?);
        if start > end {
            return Err(WireError::Range { what: "the requested heights" });
        }
        Ok(Self::ValueRequest(ValueRequest::new(start..=end)))
    }
}

impl Wire for Response<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        let Self::ValueResponse(response) = self;
        response.start_height.put(sink);
        put_list(&response.values, sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let start = Wire::read(input)?;
        let values = input.list(BLOCKS_PER_ANSWER_MAX, "the synced blocks")?;
        Ok(Self::ValueResponse(ValueResponse::new(start, values)))
    }
}
