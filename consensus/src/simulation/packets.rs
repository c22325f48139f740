//! What travels between nodes: bytes on a channel.

use bytes::Bytes;
use malachitebft_app_channel::app::types::codec::Codec;

use super::engine::SimulatedEngine;
use crate::codec::{Wire, WireCodec};

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Votes and proposals.
    Votes,
    /// Votes and certificates sent again.
    Liveness,
    /// Parts of proposed blocks.
    Parts,
    /// How far a node is.
    Status,
    /// A node that is behind asks for blocks.
    Request,
    /// Blocks that were asked for.
    Response,
}

/// Bytes on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What they are.
    pub channel: Channel,
    /// The message in the codec of the network.
    pub bytes: Bytes,
}

impl Packet {
    /// Encodes a message.
    pub(super) fn of<T: Wire>(channel: Channel, message: &T) -> Self {
        let bytes = WireCodec.encode(message).unwrap_or_default();
        Self { channel, bytes }
    }

    /// The message, unless the bytes are none: then the receiver drops them.
    pub(super) fn read<T: Wire>(&self) -> Option<T> {
        WireCodec.decode(self.bytes.clone()).ok()
    }
}

impl SimulatedEngine {
    /// A packet arrives from a node.
    pub(super) fn open(&mut self, from: u16, packet: &Packet) {
        match packet.channel {
            Channel::Votes => {
                if let Some(message) = packet.read() {
                    self.hear_vote(message);
                }
            }
            Channel::Liveness => {
                if let Some(message) = packet.read() {
                    self.hear_again(message);
                }
            }
            Channel::Parts => {
                if let Some(part) = packet.read() {
                    self.take_part(from, part);
                }
            }
            Channel::Status => {
                if let Some(status) = packet.read() {
                    self.hear_status(from, &status);
                }
            }
            Channel::Request => {
                if let Some(request) = packet.read() {
                    self.serve(from, request);
                }
            }
            Channel::Response => {
                if let Some(response) = packet.read() {
                    self.take_blocks(from, response);
                }
            }
        }
    }
}
