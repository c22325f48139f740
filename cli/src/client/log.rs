//! Asking for the log: checkpoint, files, changes of validators.

use cets_api::blocks_client::BlocksClient;
use cets_api::{GetCheckpointRequest, GetLogFileRequest};
use cets_contracts::transparency::LogPath;
use cets_contracts::types::Height;
use tokio::task::JoinSet;

use super::{ANSWER_BYTES_MAX, Node, status_failure};
use crate::error::CliError;
use crate::text;

/// A checkpoint as a node serves it; nothing of it is verified yet.
#[derive(Clone, Debug)]
pub struct ServedCheckpoint {
    /// The signed note.
    pub checkpoint: String,
    /// What the node says the policy is.
    pub policy: String,
    /// Height of the block that it ends with.
    pub height: Height,
}

impl Node {
    /// The newest checkpoint that a quorum cosigned.
    pub fn checkpoint(&self) -> Result<ServedCheckpoint, CliError> {
        let mut client = BlocksClient::new(self.channel());
        let answer = self.wait(client.get_checkpoint(GetCheckpointRequest {}))?;
        let height = Height::new(answer.height);
        Ok(ServedCheckpoint { checkpoint: answer.checkpoint, policy: answer.policy, height })
    }

    /// Files of the log, all asked for at once; answers in order.
    pub fn log_files(&self, paths: &[LogPath]) -> Result<Vec<Vec<u8>>, CliError> {
        let fetched = self.block_on(async {
            let mut requests = JoinSet::new();
            for (position, path) in paths.iter().enumerate() {
                let request = GetLogFileRequest { path: path.to_string() };
                let client = BlocksClient::new(self.channel());
                let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
                requests.spawn(async move { (position, client.get_log_file(request).await) });
            }
            requests.join_all().await
        });
        let mut contents = vec![Vec::new(); paths.len()];
        for (position, answer) in fetched {
            let answer = answer.map_err(|status| status_failure(self.address(), &status))?;
            if let Some(content) = contents.get_mut(position) {
                *content = answer.into_inner().content;
            }
        }
        if contents.iter().any(Vec::is_empty) {
            return Err(CliError::user(text!(
                "the node sent an empty file of the log",
                "节点返回了空的日志文件"
            )));
        }
        Ok(contents)
    }
}
