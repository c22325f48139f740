//! Fetching decided blocks: who says how far, who is asked, what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cets_contracts::types::Height;
use malachitebft_app_channel::AppMsg;
use malachitebft_app_channel::app::consensus::Input;
use malachitebft_app_channel::app::types::PeerId;
use malachitebft_app_channel::app::types::core::ValueResponse as Served;
use malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachitebft_sync::{ValueRequest, ValueResponse};
use tokio::sync::oneshot;

use super::application::{Asked, Expected};
use super::engine::{Output, SimulatedEngine};
use super::{Channel, Packet};
use crate::context::{EngineContext, EngineHeight};

/// The peer id of a node.
pub(super) fn peer_of(number: u16) -> PeerId {
    let mut bytes = [0u8; 38];
    bytes[..6].copy_from_slice(&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
    bytes[36..].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(&bytes).expect("the multihash has the right form")
}

struct Waits {
    peer: u16,
    since: Duration,
}

/// What a node knows about the blocks of others.
#[derive(Default)]
pub(super) struct CatchUp {
    height: Height,
    tips: BTreeMap<u16, Height>,
    waits: Option<Waits>,
    served: BTreeMap<Height, (u16, RawDecidedValue<EngineContext>)>,
    /// Who sent the block that is being judged, since when.
    judging: Option<Waits>,
    blamed: BTreeSet<u16>,
    turn: usize,
}

impl CatchUp {
    pub(super) fn started(&mut self, height: Height) {
        self.height = height;
        self.judging = None;
        self.blamed.clear();
        self.served = self.served.split_off(&height);
    }

    /// The block of a height is not what it should be: another peer is asked.
    pub(super) fn refuse(&mut self, height: Height) {
        if height == self.height {
            let peer = self.judging.take().map(|it| it.peer);
            self.blamed.extend(peer);
            self.served.retain(|_, (from, _)| Some(*from) != peer);
        }
    }

    /// The block of a height could not be judged now.
    pub(super) fn again(&mut self, height: Height) {
        if height == self.height {
            self.judging = None;
        }
    }

    /// The engine starts anew.
    pub(super) fn forget(&mut self) {
        *self = Self { tips: std::mem::take(&mut self.tips), ..Self::default() };
    }

    /// A peer that is ahead, in turn.
    fn source(&mut self) -> Option<u16> {
        let ahead = |blamed: &BTreeSet<u16>| -> Vec<u16> {
            let tips = self.tips.iter().filter(|(_, tip)| **tip >= self.height);
            tips.map(|(peer, _)| *peer).filter(|peer| !blamed.contains(peer)).collect()
        };
        let mut peers = ahead(&self.blamed);
        if peers.is_empty() {
            self.blamed.clear();
            peers = ahead(&self.blamed);
        }
        self.turn = self.turn.wrapping_add(1);
        let at = self.turn.checked_rem(peers.len())?;
        peers.get(at).copied()
    }
}

impl SimulatedEngine {
    /// Tells everyone how far this node is, and goes on asking.
    pub(super) fn tell_status(&mut self) {
        let (tip, minimum) = (self.app.tip, Height::GENESIS.next());
        let status = Status::<EngineContext> {
            peer_id: peer_of(self.setup.number),
            tip_height: EngineHeight(tip),
            history_min_height: EngineHeight(minimum),
        };
        self.publish(Channel::Status, &status);
        self.outputs.push(Output::Wake { after: self.status_interval(), ticket: 0 });
        self.next_block();
    }

    pub(super) fn hear_status(&mut self, from: u16, status: &Status<EngineContext>) {
        self.catch_up.tips.insert(from, status.tip_height.0);
        self.next_block();
    }

    /// Judges the block that is needed when it is here, or asks for it.
    pub(super) fn next_block(&mut self) {
        let (height, now) = (self.catch_up.height, self.now);
        let patience = self.setup.config.catch_up.request_timeout;
        let late = |waits: &Waits| now.saturating_sub(waits.since) > patience;
        if self.core.is_none() || self.catch_up.judging.as_ref().is_some_and(|it| !late(it)) {
            return;
        }
        if let Some((peer, value)) = self.catch_up.served.remove(&height) {
            self.catch_up.judging = Some(Waits { peer, since: now });
            let RawDecidedValue { value_bytes, certificate } = value;
            let served = Served::new(peer_of(peer), value_bytes, certificate);
            return self.process(Input::SyncValueResponse(served));
        }
        if self.catch_up.waits.as_ref().is_some_and(|it| !late(it)) {
            return;
        }
        let Some(peer) = self.catch_up.source() else { return };
        let count = u64::try_from(self.setup.config.catch_up.blocks_per_request).unwrap_or(1);
        let tip = self.catch_up.tips.get(&peer).copied().unwrap_or_default();
        let last = Height::new(height.get().saturating_add(count.saturating_sub(1))).min(tip);
        self.catch_up.waits = Some(Waits { peer, since: now });
        let range = EngineHeight(height)..=EngineHeight(last);
        let request = Request::<EngineContext>::ValueRequest(ValueRequest::new(range));
        let packet = Packet::of(Channel::Request, &request);
        self.outputs.push(Output::Send { to: peer, packet });
    }

    /// A node that is behind asks.
    pub(super) fn serve(&mut self, from: u16, request: Request<EngineContext>) {
        let Request::ValueRequest(ValueRequest { range }) = request;
        let (reply, answer) = oneshot::channel();
        let start = *range.start();
        let message = AppMsg::GetDecidedValues { range, reply };
        self.ask(Asked { message, expected: Expected::Blocks { answer, start, to: from } });
    }

    pub(super) fn send_blocks(
        &mut self,
        to: u16,
        start: EngineHeight,
        values: Vec<RawDecidedValue<EngineContext>>,
    ) {
        let response = Response::ValueResponse(ValueResponse::new(start, values));
        let packet = Packet::of(Channel::Response, &response);
        self.outputs.push(Output::Send { to, packet });
    }

    /// Blocks arrive that were asked for; what nobody asked for is dropped.
    pub(super) fn take_blocks(&mut self, from: u16, response: Response<EngineContext>) {
        if self.catch_up.waits.as_ref().is_none_or(|it| it.peer != from) {
            return;
        }
        self.catch_up.waits = None;
        let Response::ValueResponse(ValueResponse { values, .. }) = response;
        if values.is_empty() {
            self.catch_up.tips.remove(&from);
        }
        for value in values {
            let height = value.certificate.height.0;
            if height >= self.catch_up.height {
                self.catch_up.served.insert(height, (from, value));
            }
        }
        self.next_block();
    }
}
