//! The life of one tonne.

use std::collections::BTreeMap;

use cets_contracts::types::{Selection, Serial, SerialRange};

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
        let history = desk.reader().serial(serial).unwrap().answer.unwrap();
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
    let never = Serial { instrument: instrument(), number: 101 };
    assert_eq!(desk.reader().serial(never).unwrap().answer, None);
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
        desk.reader().serial(serial).unwrap().answer.unwrap().hops.len()
    };
    assert_eq!(hops(5), 5);
    assert_eq!(hops(all), 1);
}
