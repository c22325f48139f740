//! What holds back the goals that are not reached, and what would change it: from profiles taken
//! on the machine of [`super`], two processors for four validators and their clients.

use super::goal::Goal;

/// Where the time of a goal goes and what would shorten it; none when it was not looked into.
pub const fn of(goal: Goal) -> Option<&'static str> {
    match goal {
        Goal::G4 => Some(
            "Ordering alone decodes, verifies, executes and indexes nothing: 10 us of all \
             processors for a transaction. The table of microseconds above shows what the other \
             190 us of a transfer are: signatures, rules and state, and the store are half of \
             them, each done by four nodes on two processors. With a processor for each node the \
             work of one transfer on one node, 50 us, would bound the ratio.",
        ),
        Goal::G6 => Some(
            "The processors are busy all the time (1.9 of 2) although the load is half of G1: a \
             transfer costs 425 us of all nodes instead of 200, because orders arrive in pieces \
             of 32 and blocks hold 500 to 1,300 of them instead of 7,000, and four nodes push \
             each other's memory out of the caches. A cycle of 100 ms with 500 transfers: 12 ms \
             to build the block, 15 to 25 to execute it on the others, 15 to 40 to commit it (a \
             third is the synced write), the rest is votes. A hiccup of 300 ms fills the next \
             block with three times as many, and that is the 99th percentile. Tried on \
             2026-11-23: gathering orders for 10, 20 and 40 ms before their signatures are \
             verified (p99 391 to 726 ms beside 404 and 454 without), a lower priority for the \
             threads that verify (388 ms beside 444, means of three pairs of runs), the \
             scheduler's batch class (420 and 443 beside 766 and 409). A processor for each node \
             would change it.",
        ),
        Goal::G9 => Some(
            "Of 25 us for a transfer 12 are its signature, 5 of them the square root for its \
             point R, a chain of 254 squarings each of which waits for the one before; the other \
             13 are its execution on one thread, most of them memory that is in no cache (reading \
             records 9 % of all, applying changes 5 %, copies 6 %). Both processors are busy, so \
             that dividing execution would gain nothing here. Square roots of several signatures \
             side by side, inside curve25519-dalek, would halve their part; a third processor \
             would let execution alone be the bound, 77,000 transfers/s. Tried on 2026-11-23: \
             code for x86-64-v3, four pairs of runs, no faster.",
        ),
        _ => None,
    }
}
