//! The service `Blocks`: the signed history and proofs from its log.

use cets_api::blocks_server::Blocks;
use cets_api::{
    BlockResponse, CheckpointResponse, ConsistencyProofRequest, ConsistencyProofResponse,
    GetBlockRequest, GetCheckpointRequest, GetGenesisRequest, GetGenesisResponse,
    GetLogFileRequest, GetValidatorChangesRequest, GetValidatorChangesResponse,
    GetValidatorsRequest, GetValidatorsResponse, LogFileResponse, LogProofRequest,
    LogProofResponse, StreamBlocksRequest,
};
use cets_contracts::block::{Block, LogEntry};
use cets_contracts::codec;
use cets_contracts::log::leaf_hash;
use cets_contracts::state::{Table, keys};
use cets_contracts::types::Height;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::RpcError;
use super::access::{Caller, Sight, Subject};
use super::config::STREAM_BLOCKS_BUFFERED_MAX;
use super::desk::{Desk, held_answer, language_of_request, read_failed};
use super::log_files::{LogFile, log_file};
use super::prove::validator_changes;
use super::streams::{Follower, Found, Then, follow};
use super::transactions::view_of;
use super::visible::View;
use crate::read::LogReadError;

/// Answers of the service `Blocks`.
#[derive(Clone, Debug)]
pub struct BlocksService(pub Desk);

#[tonic::async_trait]
impl Blocks for BlocksService {
    type StreamBlocksStream = ReceiverStream<Result<BlockResponse, Status>>;

    async fn get_block(
        &self,
        request: Request<GetBlockRequest>,
    ) -> Result<Response<BlockResponse>, Status> {
        self.0.answer(request, get_block).await
    }

    async fn stream_blocks(
        &self,
        request: Request<StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let asker = self.0.asker(&request)?;
        let place = self.0.open_stream(asker.share.as_ref());
        let place = place.map_err(|error| error.into_status(asker.language))?;
        let StreamBlocksRequest { from_height, to_height, follow: on } = request.into_inner();
        let follower =
            BlockFollower { next: Height::new(from_height.max(1)), to: to_height, follow: on };
        let stream = follow(self.0.clone(), asker, place, STREAM_BLOCKS_BUFFERED_MAX, follower);
        Ok(Response::new(stream))
    }

    async fn get_log_proof(
        &self,
        request: Request<LogProofRequest>,
    ) -> Result<Response<LogProofResponse>, Status> {
        self.0.answer(request, get_log_proof).await
    }

    async fn get_consistency_proof(
        &self,
        request: Request<ConsistencyProofRequest>,
    ) -> Result<Response<ConsistencyProofResponse>, Status> {
        self.0
            .answer(request, |desk, _, query| {
                let proof = desk.reader().consistency_proof(query.old_size, query.new_size);
                let path = proof.map_err(|error| log_failed("new_size", error))?.path;
                let path = path.iter().map(|hash| hash.to_vec()).collect();
                Ok(ConsistencyProofResponse { path })
            })
            .await
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<CheckpointResponse>, Status> {
        self.0
            .answer(request, |desk, _, _| {
                let served = desk.node().checkpoints().served();
                let what = || "checkpoint with a quorum of cosignatures yet".to_owned();
                let served = served.ok_or_else(|| RpcError::NotFound { what: what() })?;
                Ok(CheckpointResponse {
                    checkpoint: served.note.clone(),
                    policy: served.policy.clone(),
                    height: served.height.get(),
                })
            })
            .await
    }

    async fn get_log_file(
        &self,
        request: Request<GetLogFileRequest>,
    ) -> Result<Response<LogFileResponse>, Status> {
        self.0
            .answer(request, |desk, caller, query| {
                let LogFile { content, .. } = log_file(desk, caller, &query.path)?;
                Ok(LogFileResponse { content })
            })
            .await
    }

    async fn get_genesis(
        &self,
        request: Request<GetGenesisRequest>,
    ) -> Result<Response<GetGenesisResponse>, Status> {
        let genesis = self.0.node().genesis_json();
        // The text is copied only when the budget has room for it.
        let held = self.0.reserve(request.extensions(), genesis.len());
        let held =
            held.map_err(|error| error.into_status(language_of_request(request.metadata())))?;
        Ok(held_answer(GetGenesisResponse { genesis: genesis.to_owned() }, held))
    }

    async fn get_validators(
        &self,
        request: Request<GetValidatorsRequest>,
    ) -> Result<Response<GetValidatorsResponse>, Status> {
        self.0
            .answer(request, |desk, _, _| {
                let found = desk.reader().record(&keys::single(Table::Validators));
                let lost = || RpcError::failed("the state has no validators");
                let validators = found.answer.ok_or_else(lost)?.value;
                Ok(GetValidatorsResponse { height: found.height.next().get(), validators })
            })
            .await
    }

    async fn get_validator_changes(
        &self,
        request: Request<GetValidatorChangesRequest>,
    ) -> Result<Response<GetValidatorChangesResponse>, Status> {
        self.0.answer(request, |desk, _, _| validator_changes(desk)).await
    }
}

fn get_block(
    desk: &Desk,
    caller: &Caller,
    query: GetBlockRequest,
) -> Result<BlockResponse, RpcError> {
    let height = match query.height {
        0 => desk.reader().tip().map_err(read_failed)?.height,
        height => Height::new(height),
    };
    block_at(desk, caller, height)?
        .ok_or_else(|| RpcError::NotFound { what: format!("block {height}") })
}

/// The block of a height as a caller sees it; none above the tip.
fn block_at(
    desk: &Desk,
    caller: &Caller,
    height: Height,
) -> Result<Option<BlockResponse>, RpcError> {
    let next_validators =
        desk.reader().validators_announced(height).map_err(read_failed)?.unwrap_or_default();
    if caller.sight(Subject::Blocks) != Sight::All {
        let found = desk.reader().header(height).map_err(read_failed)?;
        return Ok(found.map(|found| BlockResponse {
            height: height.get(),
            certificate: codec::encode(&found.certificate),
            first_log_index: found.first_log_index,
            header: codec::encode(&found.header),
            next_validators,
            ..BlockResponse::default()
        }));
    }
    let Some(found) = desk.reader().block(height).map_err(read_failed)? else { return Ok(None) };
    let block = Block::decode(&found.block).map_err(RpcError::failed)?;
    Ok(Some(BlockResponse {
        height: height.get(),
        header: codec::encode(&block.header),
        block: found.block,
        certificate: found.certificate,
        receipts: found.receipts,
        first_log_index: found.first_log_index,
        events: found.events,
        next_validators,
    }))
}

fn get_log_proof(
    desk: &Desk,
    caller: &Caller,
    query: LogProofRequest,
) -> Result<LogProofResponse, RpcError> {
    let size = (query.log_size != 0).then_some(query.log_size);
    let proven = desk
        .reader()
        .log_proof(query.log_index, size)
        .map_err(|error| log_failed("log_index", error))?;
    let leaf_hash = leaf_hash(&proven.entry).to_vec();
    let shown = shows_entry(desk, caller, &proven.entry)?;
    let (header, certificate) = proven
        .anchor
        .map(|(header, certificate)| (codec::encode(&header), codec::encode(&certificate)))
        .unwrap_or_default();
    Ok(LogProofResponse {
        entry: if shown { proven.entry } else { Vec::new() },
        log_index: proven.proof.index,
        log_size: proven.proof.size,
        path: proven.proof.path.iter().map(|hash| hash.to_vec()).collect(),
        header,
        certificate,
        leaf_hash,
    })
}

/// Whether a caller sees all of an entry: headers are for everyone.
fn shows_entry(desk: &Desk, caller: &Caller, entry: &[u8]) -> Result<bool, RpcError> {
    let decoded: LogEntry = codec::decode(entry).map_err(RpcError::failed)?;
    let LogEntry::Transaction { receipt, .. } = decoded else { return Ok(true) };
    match caller.sight(Subject::Transactions) {
        Sight::Nothing => Ok(false),
        Sight::All => Ok(true),
        Sight::Own | Sight::OwnProvince => {
            let found = desk.reader().transaction(&receipt.tx_id).map_err(read_failed)?;
            let events = found.map(|answer| answer.events).unwrap_or_default();
            Ok(view_of(desk, caller, entry, &events)?.0 == View::Whole)
        }
    }
}

fn log_failed(field: &'static str, error: LogReadError) -> RpcError {
    match error {
        LogReadError::Read(error) => read_failed(error),
        error @ LogReadError::Log(..) => RpcError::Argument { field, reason: error.to_string() },
    }
}

struct BlockFollower {
    next: Height,
    /// Last height; 0 for the newest.
    to: u64,
    follow: bool,
}

impl Follower for BlockFollower {
    type Item = BlockResponse;

    fn read(&mut self, desk: &Desk, caller: &Caller) -> Result<Found<BlockResponse>, RpcError> {
        if self.to != 0 && self.next.get() > self.to {
            return Ok(Found { items: Vec::new(), then: Then::End });
        }
        let block = block_at(desk, caller, self.next)?;
        let then = match (&block, self.follow) {
            (Some(_), _) => Then::More,
            (None, true) => Then::Wait,
            (None, false) => Then::End,
        };
        if block.is_some() {
            self.next = self.next.next();
        }
        Ok(Found { items: block.into_iter().collect(), then })
    }
}
