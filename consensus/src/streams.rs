//! Puts proposed blocks together from their parts, within limits.
//!
//! Whoever is connected can send parts, so nothing here grows without a bound: streams per peer,
//! bytes per stream and in all, a window of heights and rounds. A stream that breaks a limit is
//! dropped as a whole; a peer with too many open streams loses its oldest, and when all together
//! hold too many bytes, the peer that holds most loses one: nobody else's block suffers.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use cets_contracts::block::BLOCK_BYTES_MAX;
use cets_contracts::types::Height;

use crate::config::PART_BYTES_MIN;
use crate::context::{BlockPart, StreamStart};

/// Most open streams of one peer.
pub const STREAMS_PER_PEER_MAX: usize = 8;
/// Most open streams of all peers.
pub const STREAMS_MAX: usize = 256;
/// Most bytes of all open streams.
pub const STREAMS_BYTES_MAX: usize = 8 * BLOCK_BYTES_MAX;
/// Most bytes of blocks that wait for their height.
pub const WAITING_BYTES_MAX: usize = 8 * BLOCK_BYTES_MAX;
/// Most messages of one stream.
pub const STREAM_MESSAGES_MAX: usize = BLOCK_BYTES_MAX / PART_BYTES_MIN + 2;
/// Most heights above the tip for which a block is kept.
pub const HEIGHTS_AHEAD_MAX: u64 = 10;
/// Most complete blocks that wait for one height.
pub const BLOCKS_WAITING_PER_HEIGHT_MAX: usize = 8;
/// Most complete blocks of one proposer that wait, whatever their heights.
pub const BLOCKS_WAITING_PER_PROPOSER_MAX: usize = 2;

/// Identifies a stream: who published it, and the number the publisher gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamKey {
    /// Peer that published it.
    pub publisher: Bytes,
    /// Number given by the publisher.
    pub stream: Bytes,
}

/// One message of a stream.
#[derive(Clone, Debug)]
pub enum StreamPart {
    /// A start or a piece.
    Part(BlockPart),
    /// The end: its position is the number of messages before it.
    End,
}

/// A block as it was put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedBlock {
    /// What the proposer said about it.
    pub start: StreamStart,
    /// The bytes.
    pub bytes: Bytes,
}

/// Why a stream was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A second start, a start that is not first, or a message after the end.
    #[error("the parts are out of order")]
    Order,
    /// More messages or bytes than allowed or announced.
    #[error("the stream is larger than allowed or announced")]
    Size,
    /// Too far above the tip, or not above it.
    #[error("height {height} is outside of the window above the tip")]
    Height {
        /// Height of the stream.
        height: Height,
    },
    /// All streams together hold too many bytes.
    #[error("all open streams together are too large")]
    Total,
}

#[derive(Debug, Default)]
struct Stream {
    /// Grows with each stream; the oldest of a peer is dropped first.
    age: u64,
    start: Option<StreamStart>,
    pieces: BTreeMap<u64, Bytes>,
    end: Option<u64>,
    bytes: usize,
}

impl Stream {
    fn messages(&self) -> usize {
        self.pieces
            .len()
            .saturating_add(usize::from(self.start.is_some()))
            .saturating_add(usize::from(self.end.is_some()))
    }

    fn is_complete(&self) -> bool {
        let last = self.messages().checked_sub(1).and_then(|last| u64::try_from(last).ok());
        self.start.is_some() && self.end.is_some() && self.end == last
    }

    /// Adds a message; `Ok(true)` when it was new.
    fn add(&mut self, sequence: u64, part: StreamPart) -> Result<bool, StreamError> {
        if self.end.is_some_and(|end| sequence > end) {
            return Err(StreamError::Order);
        }
        match part {
            StreamPart::Part(BlockPart::Start(start)) => {
                if sequence != 0 {
                    return Err(StreamError::Order);
                }
                if start.block_bytes > u64::try_from(BLOCK_BYTES_MAX).unwrap_or(u64::MAX) {
                    return Err(StreamError::Size);
                }
                match &self.start {
                    Some(known) if *known != start => return Err(StreamError::Order),
                    Some(_) => return Ok(false),
                    None => self.start = Some(start),
                }
            }
            StreamPart::Part(BlockPart::Piece(bytes)) => {
                if sequence == 0 {
                    return Err(StreamError::Order);
                }
                if self.pieces.contains_key(&sequence) {
                    return Ok(false);
                }
                self.bytes = self.bytes.saturating_add(bytes.len());
                self.pieces.insert(sequence, bytes);
            }
            StreamPart::End => {
                let after_last =
                    self.pieces.last_key_value().is_none_or(|(last, _)| *last < sequence);
                match self.end {
                    Some(end) if end == sequence => return Ok(false),
                    None if after_last => self.end = Some(sequence),
                    _ => return Err(StreamError::Order),
                }
            }
        }
        let announced = self.start.as_ref().map_or(BLOCK_BYTES_MAX, |start| {
            usize::try_from(start.block_bytes).unwrap_or(BLOCK_BYTES_MAX)
        });
        if self.bytes > announced || self.messages() > STREAM_MESSAGES_MAX {
            return Err(StreamError::Size);
        }
        Ok(true)
    }

    /// The block of a complete stream, when it has the announced size.
    fn assemble(self) -> Result<ReceivedBlock, StreamError> {
        let start = self.start.ok_or(StreamError::Order)?;
        if u64::try_from(self.bytes) != Ok(start.block_bytes) {
            return Err(StreamError::Size);
        }
        let mut pieces = self.pieces.into_values();
        let bytes = match (pieces.next(), pieces.next()) {
            (Some(only), None) => only,
            (first, second) => {
                let mut block = BytesMut::with_capacity(self.bytes);
                for piece in first.into_iter().chain(second).chain(pieces) {
                    block.extend_from_slice(&piece);
                }
                block.freeze()
            }
        };
        Ok(ReceivedBlock { start, bytes })
    }
}

/// All open streams, and complete blocks that wait for their height.
#[derive(Debug, Default)]
pub struct Streams {
    open: BTreeMap<StreamKey, Stream>,
    waiting: BTreeMap<Height, Vec<ReceivedBlock>>,
    bytes: usize,
    bytes_waiting: usize,
    ages: u64,
    /// Age of the newest stream when the tip was committed.
    ages_at_commit: u64,
}

impl Streams {
    /// Adds a message of a stream; gives the block when it completes the stream.
    ///
    /// `tip` is the last committed height.
    pub fn add(
        &mut self,
        tip: Height,
        key: StreamKey,
        sequence: u64,
        part: StreamPart,
    ) -> Result<Option<ReceivedBlock>, StreamError> {
        if let StreamPart::Part(BlockPart::Start(start)) = &part {
            let height = start.height;
            if height <= tip || height.get() > tip.get().saturating_add(HEIGHTS_AHEAD_MAX) {
                self.drop_stream(&key);
                return Err(StreamError::Height { height });
            }
        }
        if !self.open.contains_key(&key) {
            self.make_room(&key.publisher);
            self.ages = self.ages.saturating_add(1);
            let stream = Stream { age: self.ages, ..Stream::default() };
            self.open.insert(key.clone(), stream);
        }
        let Some(stream) = self.open.get_mut(&key) else { return Ok(None) };
        let before = stream.bytes;
        let added = stream.add(sequence, part);
        self.bytes = self.bytes.saturating_add(stream.bytes.saturating_sub(before));
        let complete = stream.is_complete();
        if let Err(error) = added {
            self.drop_stream(&key);
            return Err(error);
        }
        while self.bytes > STREAMS_BYTES_MAX {
            let victim = self.stream_of_the_largest_holder().unwrap_or_else(|| key.clone());
            self.drop_stream(&victim);
            if victim == key {
                return Err(StreamError::Total);
            }
        }
        if !complete {
            return Ok(None);
        }
        match self.drop_stream(&key) {
            Some(stream) => stream.assemble().map(Some),
            None => Ok(None),
        }
    }

    /// Keeps a complete block until its height is started.
    pub fn wait(&mut self, block: ReceivedBlock) -> Result<(), StreamError> {
        let size = block.bytes.len();
        let proposer = block.start.proposer;
        let of_proposer = self.waiting.values().flatten();
        let of_proposer = of_proposer.filter(|known| known.start.proposer == proposer).count();
        if of_proposer >= BLOCKS_WAITING_PER_PROPOSER_MAX
            || self.bytes_waiting.saturating_add(size) > WAITING_BYTES_MAX
        {
            return Err(StreamError::Total);
        }
        let waiting = self.waiting.entry(block.start.height).or_default();
        if waiting.len() >= BLOCKS_WAITING_PER_HEIGHT_MAX {
            return Err(StreamError::Total);
        }
        waiting.push(block);
        self.bytes_waiting = self.bytes_waiting.saturating_add(size);
        Ok(())
    }

    /// The blocks that waited for a height; those of lower heights are dropped.
    pub fn started(&mut self, height: Height) -> Vec<ReceivedBlock> {
        let later = self.waiting.split_off(&height.next());
        let mut due = std::mem::replace(&mut self.waiting, later);
        for block in due.values().flatten() {
            self.bytes_waiting = self.bytes_waiting.saturating_sub(block.bytes.len());
        }
        due.remove(&height).unwrap_or_default()
    }

    /// Drops streams of committed heights, and those whose start did not come within a height.
    pub fn committed(&mut self, tip: Height) {
        let (before, now) = (self.ages_at_commit, self.ages);
        let is_old = |stream: &Stream| match &stream.start {
            Some(start) => start.height <= tip,
            None => stream.age <= before,
        };
        let old = self.open.iter().filter(|(_, stream)| is_old(stream));
        for key in old.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.drop_stream(&key);
        }
        self.ages_at_commit = now;
    }

    /// Drops a stream, if it is open.
    pub fn forget(&mut self, key: &StreamKey) {
        self.drop_stream(key);
    }

    /// Bytes held by open streams and waiting blocks, as they were added up.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn bytes_held(&self) -> usize {
        self.bytes.saturating_add(self.bytes_waiting)
    }

    /// Bytes held by open streams and waiting blocks, counted anew.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn bytes_counted(&self) -> usize {
        let pieces = self.open.values().flat_map(|stream| stream.pieces.values());
        let blocks = self.waiting.values().flatten().map(|block| &block.bytes);
        pieces.chain(blocks).fold(0, |sum, bytes| sum.saturating_add(bytes.len()))
    }

    /// The oldest stream of the publisher that holds most bytes; of equals, who came last.
    fn stream_of_the_largest_holder(&self) -> Option<StreamKey> {
        let mut holders: BTreeMap<&Bytes, (usize, u64)> = BTreeMap::new();
        for (key, stream) in &self.open {
            let (bytes, newest) = holders.entry(&key.publisher).or_default();
            *bytes = bytes.saturating_add(stream.bytes);
            *newest = stream.age.max(*newest);
        }
        let (publisher, _) = holders.into_iter().max_by_key(|(_, held)| *held)?;
        let theirs = self.open.iter().filter(|(key, _)| key.publisher == *publisher);
        theirs.min_by_key(|(_, stream)| stream.age).map(|(key, _)| key.clone())
    }

    fn drop_stream(&mut self, key: &StreamKey) -> Option<Stream> {
        let stream = self.open.remove(key)?;
        self.bytes = self.bytes.saturating_sub(stream.bytes);
        Some(stream)
    }

    /// Drops the oldest stream of a peer, or of all, when one more would be too many.
    fn make_room(&mut self, publisher: &Bytes) {
        let oldest = |of_peer: bool| {
            self.open
                .iter()
                .filter(|(key, _)| !of_peer || key.publisher == *publisher)
                .min_by_key(|(_, stream)| stream.age)
                .map(|(key, _)| key.clone())
        };
        let of_peer = self.open.keys().filter(|key| key.publisher == *publisher).count();
        let victim = if of_peer >= STREAMS_PER_PEER_MAX {
            oldest(true)
        } else if self.open.len() >= STREAMS_MAX {
            oldest(false)
        } else {
            None
        };
        if let Some(key) = victim {
            self.drop_stream(&key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use cets_contracts::types::{BlockId, Signature, ValidatorAddress};

    use super::*;

    const TIP: Height = Height::new(10);

    fn key(publisher: u8, stream: u64) -> StreamKey {
        StreamKey {
            publisher: Bytes::copy_from_slice(&[publisher]),
            stream: Bytes::copy_from_slice(&stream.to_be_bytes()),
        }
    }

    fn start(height: u64, block_bytes: usize) -> StreamPart {
        StreamPart::Part(BlockPart::Start(StreamStart {
            height: Height::new(height),
            round: 0,
            polka_round: None,
            proposer: ValidatorAddress::new([1; 20]),
            block_id: BlockId::new([2; 32]),
            block_bytes: block_bytes as u64,
            signature: Signature::new([3; 64]),
        }))
    }

    fn piece(bytes: impl Into<Bytes>) -> StreamPart {
        StreamPart::Part(BlockPart::Piece(bytes.into()))
    }

    fn permutations(messages: &[(u64, StreamPart)]) -> Vec<Vec<(u64, StreamPart)>> {
        if messages.len() <= 1 {
            return vec![messages.to_vec()];
        }
        let mut all = Vec::new();
        for index in 0..messages.len() {
            let mut rest = messages.to_vec();
            let first = rest.remove(index);
            for mut tail in permutations(&rest) {
                tail.insert(0, first.clone());
                all.push(tail);
            }
        }
        all
    }

    #[test]
    fn a_block_is_put_together_whatever_the_order_of_its_parts() {
        let messages = [
            (0, start(11, 6)),
            (1, piece("abc")),
            (2, piece("de")),
            (3, piece("f")),
            (4, StreamPart::End),
        ];
        for order in permutations(&messages) {
            let mut streams = Streams::default();
            let last = order.len() - 1;
            for (position, (sequence, part)) in order.into_iter().enumerate() {
                let again = part.clone();
                let block = streams.add(TIP, key(1, 1), sequence, part).unwrap();
                if position < last {
                    assert_eq!(block, None);
                    // The same message twice changes nothing.
                    assert_eq!(streams.add(TIP, key(1, 1), sequence, again), Ok(None));
                } else {
                    assert_eq!(block.unwrap().bytes, "abcdef");
                }
            }
            assert_eq!(streams.bytes_held(), 0);
        }
    }

    #[test]
    fn pieces_whose_start_is_refused_or_does_not_come_are_dropped() {
        let mut streams = Streams::default();
        for stream in 1..=2 {
            assert_eq!(streams.add(TIP, key(1, stream), 1, piece("abc")), Ok(None));
        }
        streams.forget(&key(1, 1));
        assert_eq!(streams.bytes_held(), 3);
        // The start may still be on its way when a height is committed, not at the next one.
        streams.committed(TIP.next());
        assert_eq!(streams.bytes_held(), 3);
        streams.committed(TIP.next().next());
        assert_eq!(streams.bytes_held(), 0);
    }

    #[test]
    fn a_stream_larger_or_smaller_than_announced_is_dropped() {
        let mut streams = Streams::default();
        streams.add(TIP, key(1, 1), 0, start(11, 3)).unwrap();
        assert_eq!(streams.add(TIP, key(1, 1), 1, piece("abcd")), Err(StreamError::Size));
        assert_eq!(streams.bytes_held(), 0);
        streams.add(TIP, key(1, 2), 0, start(11, 3)).unwrap();
        streams.add(TIP, key(1, 2), 1, piece("ab")).unwrap();
        assert_eq!(streams.add(TIP, key(1, 2), 2, StreamPart::End), Err(StreamError::Size));
        assert_eq!(
            streams.add(TIP, key(1, 3), 0, start(11, BLOCK_BYTES_MAX + 1)),
            Err(StreamError::Size)
        );
        assert_eq!(streams.bytes_held(), 0);
    }

    #[test]
    fn parts_that_contradict_each_other_drop_the_stream() {
        let mut streams = Streams::default();
        streams.add(TIP, key(1, 1), 0, start(11, 3)).unwrap();
        assert_eq!(streams.add(TIP, key(1, 1), 0, start(11, 4)), Err(StreamError::Order));
        assert_eq!(streams.add(TIP, key(1, 2), 1, start(11, 3)), Err(StreamError::Order));
        assert_eq!(streams.add(TIP, key(1, 3), 0, piece("a")), Err(StreamError::Order));
        streams.add(TIP, key(1, 4), 2, StreamPart::End).unwrap();
        assert_eq!(streams.add(TIP, key(1, 4), 3, piece("a")), Err(StreamError::Order));
        streams.add(TIP, key(1, 5), 3, piece("a")).unwrap();
        assert_eq!(streams.add(TIP, key(1, 5), 2, StreamPart::End), Err(StreamError::Order));
    }

    #[test]
    fn heights_outside_of_the_window_are_refused() {
        let mut streams = Streams::default();
        for height in [0, 10, 21, u64::MAX] {
            let refused = streams.add(TIP, key(1, height), 0, start(height, 1)).unwrap_err();
            assert_eq!(refused, StreamError::Height { height: Height::new(height) });
        }
        streams.add(TIP, key(1, 1), 0, start(11, 1)).unwrap();
        streams.add(TIP, key(1, 2), 0, start(20, 1)).unwrap();
    }

    #[test]
    fn a_peer_with_too_many_streams_loses_its_oldest_and_nobody_elses() {
        let mut streams = Streams::default();
        streams.add(TIP, key(2, 0), 0, start(11, 2)).unwrap();
        for stream in 0..=STREAMS_PER_PEER_MAX as u64 {
            streams.add(TIP, key(1, stream), 0, start(11, 2)).unwrap();
        }
        let finish = |streams: &mut Streams, key: StreamKey| {
            streams.add(TIP, key.clone(), 1, piece("ab")).unwrap();
            streams.add(TIP, key, 2, StreamPart::End).unwrap()
        };
        assert_eq!(finish(&mut streams, key(1, 0)), None);
        assert!(finish(&mut streams, key(1, STREAMS_PER_PEER_MAX as u64)).is_some());
        assert!(finish(&mut streams, key(2, 0)).is_some());
    }

    #[test]
    fn all_streams_together_stay_below_their_limit() {
        let mut streams = Streams::default();
        let big = Bytes::from(vec![0u8; BLOCK_BYTES_MAX]);
        let mut refused = 0;
        for publisher in 0..20 {
            streams.add(TIP, key(publisher, 1), 0, start(11, BLOCK_BYTES_MAX)).unwrap();
            match streams.add(TIP, key(publisher, 1), 1, piece(big.clone())) {
                Ok(None) => {}
                Err(StreamError::Total) => refused += 1,
                other => panic!("{other:?}"),
            }
            assert!(streams.bytes_held() <= STREAMS_BYTES_MAX);
        }
        assert_eq!(refused, 12);
        streams.committed(Height::new(11));
        assert_eq!(streams.bytes_held(), 0);
    }

    #[test]
    fn a_peer_that_fills_all_room_without_a_start_hinders_nobody() {
        let mut streams = Streams::default();
        let big = Bytes::from(vec![0u8; BLOCK_BYTES_MAX]);
        for stream in 0..STREAMS_PER_PEER_MAX as u64 {
            streams.add(TIP, key(1, stream), 1, piece(big.clone())).unwrap();
        }
        assert_eq!(streams.bytes_held(), STREAMS_BYTES_MAX);
        streams.add(TIP, key(2, 1), 0, start(11, 2)).unwrap();
        streams.add(TIP, key(2, 1), 1, piece("ab")).unwrap();
        let block = streams.add(TIP, key(2, 1), 2, StreamPart::End).unwrap();
        assert_eq!(block.unwrap().bytes, "ab");
        assert_eq!(streams.bytes_held(), STREAMS_BYTES_MAX - BLOCK_BYTES_MAX);
    }

    #[test]
    fn blocks_wait_for_their_height_and_no_longer() {
        let block_of = |height: u64, proposer: u8| {
            let StreamPart::Part(BlockPart::Start(mut start)) = start(height, 4) else {
                unreachable!("a start is a start")
            };
            start.proposer = ValidatorAddress::new([proposer; 20]);
            ReceivedBlock { start, bytes: Bytes::from_static(b"abcd") }
        };
        let block = |height: u64| block_of(height, u8::try_from(height).unwrap());
        let mut streams = Streams::default();
        for height in [12, 13, 14] {
            streams.wait(block(height)).unwrap();
        }
        assert_eq!(streams.bytes_held(), 12);
        assert_eq!(streams.started(Height::new(13)), vec![block(13)]);
        assert_eq!(streams.bytes_held(), 4);
        assert!(streams.started(Height::new(13)).is_empty());
        for proposer in (1u8..).take(BLOCKS_WAITING_PER_HEIGHT_MAX - 1) {
            streams.wait(block_of(14, proposer)).unwrap();
        }
        assert_eq!(streams.wait(block_of(14, 99)), Err(StreamError::Total));
        // Nobody fills the room of the heights to come.
        streams.wait(block_of(15, 1)).unwrap();
        assert_eq!(streams.wait(block_of(16, 1)), Err(StreamError::Total));
    }
}
