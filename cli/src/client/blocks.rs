//! Asking for the signed history and for proofs from its log.

use cets_api::blocks_client::BlocksClient;
use cets_api::operations_client::OperationsClient;
use cets_api::{
    BlockResponse, ConsistencyProofRequest, GetBlockRequest, GetGenesisRequest, GetStatusRequest,
    GetValidatorChangesRequest, LogProofRequest, NodeStatus, StreamBlocksRequest,
};
use cets_contracts::block::{Block, Certificate, Header, Receipt};
use cets_contracts::genesis::Genesis;
use cets_contracts::log::{LogHash, LogProof};
use cets_contracts::proof::ValidatorChain;
use cets_contracts::types::{Height, LogIndex};

use super::{CallerChannel, Node};
use crate::error::CliError;

/// A block as the history holds it.
#[derive(Clone, Debug)]
pub struct CertifiedBlock {
    /// Header.
    pub header: Header,
    /// Transactions; none when the reader may not see all of them.
    pub transactions: Option<Vec<Vec<u8>>>,
    /// Who decided it.
    pub certificate: Certificate,
    /// The answers to its transactions.
    pub receipts: Vec<Receipt>,
    /// Index of its first entry in the log.
    pub first_log_index: LogIndex,
}

impl Node {
    fn blocks(&self) -> BlocksClient<CallerChannel> {
        BlocksClient::new(self.channel()).max_decoding_message_size(super::ANSWER_BYTES_MAX)
    }

    /// How the node is now.
    pub fn status_now(&self) -> Result<NodeStatus, CliError> {
        self.wait(OperationsClient::new(self.channel()).get_status(GetStatusRequest {}))
    }

    /// A block; the newest without a height.
    pub fn block(&self, height: Option<Height>) -> Result<CertifiedBlock, CliError> {
        let request = GetBlockRequest { height: height.map_or(0, Height::get) };
        let answer = self.wait(self.blocks().get_block(request))?;
        self.certified(&answer)
    }

    /// Header and certificate of a block, of the newest without a height; everyone may see them.
    pub fn header(&self, height: Option<Height>) -> Result<(Header, Certificate), CliError> {
        let request = GetBlockRequest { height: height.map_or(0, Height::get) };
        let answer = self.wait(self.blocks().get_block(request))?;
        let certificate = self.decode("certificate", &answer.certificate)?;
        Ok((self.decode("header", &answer.header)?, certificate))
    }

    /// The genesis document.
    pub fn genesis(&self) -> Result<Genesis, CliError> {
        let answer = self.wait(self.blocks().get_genesis(GetGenesisRequest {}))?;
        serde_json::from_str(&answer.genesis).map_err(|_| self.nonsense("genesis document"))
    }

    /// Every change of the validators since genesis, with what proves it.
    pub fn validator_chain(&self) -> Result<ValidatorChain, CliError> {
        let request = GetValidatorChangesRequest {};
        let answer = self.wait(self.blocks().get_validator_changes(request))?;
        self.decode("chain of validators", &answer.changes)
    }

    /// Proof that the log of one size begins with that of a smaller one.
    pub fn consistency_path(&self, old: u64, new: u64) -> Result<Vec<LogHash>, CliError> {
        let request = ConsistencyProofRequest { old_size: old, new_size: new };
        let answer = self.wait(self.blocks().get_consistency_proof(request))?;
        let path: Result<Vec<LogHash>, _> =
            answer.path.iter().map(|hash| hash.as_slice().try_into()).collect();
        path.map_err(|_| self.nonsense("consistency proof"))
    }

    /// Blocks in order, as the node sends them.
    pub fn stream_blocks(
        &self,
        from: Height,
        to: Height,
    ) -> Result<tonic::Streaming<BlockResponse>, CliError> {
        let request =
            StreamBlocksRequest { from_height: from.get(), to_height: to.get(), follow: false };
        self.wait(self.blocks().stream_blocks(request))
    }

    /// The next block of a stream.
    pub fn next_block(
        &self,
        stream: &mut tonic::Streaming<BlockResponse>,
    ) -> Result<Option<BlockResponse>, CliError> {
        self.block_on(stream.message())
            .map_err(|status| super::status_failure(self.address(), &status))
    }

    /// Sibling hashes from an entry to the root of the log of a size.
    pub fn log_path(&self, log_index: LogIndex, log_size: u64) -> Result<Vec<[u8; 32]>, CliError> {
        let request = LogProofRequest { log_index, log_size };
        let answer = self.wait(self.blocks().get_log_proof(request))?;
        let path: Result<Vec<[u8; 32]>, _> =
            answer.path.iter().map(|hash| hash.as_slice().try_into()).collect();
        path.map_err(|_| self.nonsense("log proof"))
    }

    /// An entry with its path to the root of the log at a size.
    pub fn log_entry(
        &self,
        log_index: LogIndex,
        log_size: u64,
    ) -> Result<(Vec<u8>, LogProof), CliError> {
        let request = LogProofRequest { log_index, log_size };
        let answer = self.wait(self.blocks().get_log_proof(request))?;
        let path: Result<Vec<[u8; 32]>, _> =
            answer.path.iter().map(|hash| hash.as_slice().try_into()).collect();
        let path = path.map_err(|_| self.nonsense("log proof"))?;
        Ok((answer.entry, LogProof { index: answer.log_index, size: answer.log_size, path }))
    }

    fn certified(&self, answer: &BlockResponse) -> Result<CertifiedBlock, CliError> {
        let receipts = answer.receipts.iter().map(|bytes| self.decode("receipt", bytes));
        let (header, transactions) = match answer.block.is_empty() {
            true => (self.decode("header", &answer.header)?, None),
            false => {
                let block = Block::decode(&answer.block).map_err(|_| self.nonsense("block"))?;
                (block.header, Some(block.transactions))
            }
        };
        Ok(CertifiedBlock {
            header,
            transactions,
            certificate: self.decode("certificate", &answer.certificate)?,
            receipts: receipts.collect::<Result<_, _>>()?,
            first_log_index: answer.first_log_index,
        })
    }
}
