//! Vote extensions, which this network does not use.

use malachitebft_app_channel::Reply;
use malachitebft_app_channel::app::consensus::VoteExtensionVerdicts;

use crate::context::{EngineAddress, EngineContext, NoExtension};

/// No vote is extended.
pub fn vote(reply: Reply<Option<NoExtension>>) {
    reply.send(None).ok();
}

/// There is never anything to verify: no extension exists.
pub fn verify(
    extensions: Vec<(EngineAddress, NoExtension)>,
    reply: Reply<VoteExtensionVerdicts<EngineContext>>,
) {
    reply.send(extensions.into_iter().map(|(address, _)| (address, Ok(()))).collect()).ok();
}
