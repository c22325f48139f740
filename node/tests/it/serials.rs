//! The life of one tonne.

use std::collections::BTreeMap;

use cets_contracts::types::{Selection, Serial, SerialRange};
use cets_node::read::{MovementId, SerialHistory};

use crate::world::{Desk, holder, instrument, issue, transfer, transfer_of};

/// Movements of every unit as a naive list, to hold the store against.
#[derive(Default)]
struct Lives(BTreeMap<u64, Vec<(u64, u64)>>);

impl Lives {
    fn moved(&mut self, range: SerialRange, log_index: u64, to: u64) {
        for number in range.start()..range.end() {
            self.0.entry(number).or_default().push((log_index, to));
        }
    }
}

#[tokio::test]
async fn every_hop_of_every_unit_is_found_across_splits_merges_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), 0);
    let range = |first, last| SerialRange::inclusive(instrument(), first, last).unwrap();
    let mut lives = Lives::default();
    desk.submit(vec![issue(&desk.genesis, desk.now(), 0, &[(1, 60), (2, 40)])]).await;
    desk.decide(&[]);
    lives.moved(range(1, 60), 0, 1);
    lives.moved(range(61, 100), 0, 2);

    // (from, to, first, last), several in one block, some touching what the block moved before.
    let blocks: [&[(u64, u64, u64, u64)]; 5] = [
        &[(1, 3, 10, 19), (1, 3, 20, 29), (2, 3, 61, 70)],
        &[(3, 4, 15, 24), (4, 5, 18, 20), (3, 1, 10, 12)],
        &[(5, 4, 18, 20), (4, 6, 15, 24)],
        &[(6, 1, 15, 24)],
        &[(1, 2, 1, 9), (2, 1, 1, 9), (3, 2, 61, 70), (2, 6, 61, 100)],
    ];
    for (number, moves) in blocks.into_iter().enumerate() {
        let first_log_index = desk.reader().tip().unwrap().log_size;
        let mut orders = Vec::new();
        for (position, (from, to, first, last)) in moves.iter().enumerate() {
            let units = Selection::Ranges(vec![range(*first, *last)]);
            let salt = (number * 100 + position) as u64;
            orders.push(transfer_of(&desk.genesis, desk.now(), salt, *from, *to, units));
            lives.moved(range(*first, *last), first_log_index + position as u64, *to);
        }
        desk.submit(orders).await;
        desk.decide(&[]);
        desk = desk.reopen();
        desk.clock.advance(1_000 * (number as u64 + 1));
    }
    for (unit, life) in &lives.0 {
        let serial = Serial { instrument: instrument(), number: *unit };
        let history = desk.reader().serial(serial, None, 0).unwrap().answer.unwrap();
        let hops: Vec<_> = history
            .hops
            .iter()
            .map(|hop| {
                assert!(hop.movement.range.contains(&serial));
                (hop.log_index, hop.movement.to.holder)
            })
            .collect();
        let expected: Vec<_> = life.iter().map(|(index, to)| (*index, holder(*to))).collect();
        assert_eq!(hops, expected, "unit {unit}");
        assert!(history.holding.range.contains(&serial));
        assert_eq!(history.holding.place.holder, expected.last().unwrap().1);
        assert_eq!(history.hops[0].movement.from, None, "a life begins with the issue");
    }
    for (first, last) in [(1, 100), (12, 12), (15, 24), (9, 61), (70, 140), (100, 100)] {
        require_trace(&desk, &lives, range(first, last));
    }
    let beyond = desk.reader().trace(range(101, 140)).unwrap().answer;
    assert!(beyond.parts.is_empty() && beyond.hops.is_empty());
    let never = Serial { instrument: instrument(), number: 101 };
    assert_eq!(desk.reader().serial(never, None, 0).unwrap().answer, None);
}

/// Holds a trace against the naive list: who has each unit, and which transactions moved any.
fn require_trace(desk: &Desk, lives: &Lives, range: SerialRange) {
    let trace = desk.reader().trace(range).unwrap().answer;
    assert!(trace.next.is_none() && !trace.older_left_out);
    let mut at = range.start();
    for part in &trace.parts {
        assert_eq!(part.range.start(), at, "{range}");
        at = part.range.end();
        for unit in part.range.start()..part.range.end() {
            let (_, to) = lives.0[&unit].last().unwrap();
            assert_eq!(part.place.holder, holder(*to), "unit {unit}");
        }
    }
    assert_eq!(at, range.end().min(101), "{range}");
    let mut expected: Vec<(u64, u64)> = (range.start()..range.end())
        .flat_map(|unit| lives.0.get(&unit).cloned().unwrap_or_default())
        .collect();
    expected.sort_unstable();
    expected.dedup();
    let mut found: Vec<_> = trace.hops.iter().map(|hop| (hop.log_index, &hop.movement)).collect();
    assert!(found.is_sorted_by_key(|(index, _)| *index));
    found.retain(|(_, movement)| movement.range.overlaps(&range));
    assert_eq!(found.len(), trace.hops.len(), "a hop of other units");
    let mut found: Vec<(u64, _)> =
        found.iter().map(|(index, movement)| (*index, movement.to.holder)).collect();
    found.dedup();
    let expected: Vec<_> = expected.iter().map(|(index, to)| (*index, holder(*to))).collect();
    assert_eq!(found, expected, "{range}");
}

#[tokio::test]
async fn where_a_range_went_is_known_in_milliseconds_after_a_thousand_transfers() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    desk.submit(vec![issue(&desk.genesis, desk.now(), 0, &[(1, 4_000_000)])]).await;
    desk.decide(&[]);
    for block in 0..10 {
        let now = desk.now();
        let orders = (0..100).map(|salt| {
            let to = 2 + (block * 100 + salt) % 5;
            transfer(&desk.genesis, now, block * 1_000 + salt, 1, to, 475)
        });
        desk.submit(orders.collect()).await;
        desk.decide(&[]);
    }
    let range = SerialRange::inclusive(instrument(), 1, 475_000).unwrap();
    let started = std::time::Instant::now();
    let trace = desk.reader().trace(range).unwrap().answer;
    let took = started.elapsed();
    println!(
        "475,000 units: {} parts, {} movements in {took:?}",
        trace.parts.len(),
        trace.hops.len()
    );
    assert_eq!((trace.parts.len(), trace.hops.len()), (1_000, 1_001));
    let whole = SerialRange::inclusive(instrument(), 1, 4_000_000).unwrap();
    let cut = desk.reader().trace(whole).unwrap().answer;
    assert_eq!((cut.parts.len(), cut.next), (1_000, Some(475_001)));
}

#[tokio::test]
async fn a_unit_of_a_large_issue_is_found_after_many_transfers() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path(), 0);
    let all = 4_000_000_000;
    desk.submit(vec![issue(&desk.genesis, desk.now(), 0, &[(1, all)])]).await;
    desk.decide(&[]);
    for block in 0..4 {
        let now = desk.now();
        let orders = (0..100).map(|salt| {
            let (from, to) = if block % 2 == 0 { (1, 2) } else { (2, 1) };
            transfer(&desk.genesis, now, block * 1_000 + salt, from, to, 10)
        });
        desk.submit(orders.collect()).await;
        desk.decide(&[]);
    }
    let hops = |number| {
        let serial = Serial { instrument: instrument(), number };
        desk.reader().serial(serial, None, 0).unwrap().answer.unwrap().hops.len()
    };
    assert_eq!(hops(5), 5);
    assert_eq!(hops(all), 1);

    let serial = Serial { instrument: instrument(), number: 5 };
    let page = |newest, limit| desk.reader().serial(serial, newest, limit).unwrap().answer;
    let whole = page(None, 0).unwrap();
    assert_eq!(whole.older, None);
    let (mut paged, mut next) = (Vec::new(), None);
    loop {
        let SerialHistory { hops, older, .. } = page(next, 2).unwrap();
        assert!((1..=2).contains(&hops.len()));
        paged.splice(0..0, hops);
        next = older;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole.hops);
    let moved = whole.hops[1].log_index;
    for (log_index, position) in [(1, 0), (moved + 1, 0), (moved, 9), (u64::MAX, 0)] {
        let foreign = Some(MovementId { log_index, position });
        assert_eq!(page(foreign, 0), None, "{foreign:?} never moved this unit");
    }
}
