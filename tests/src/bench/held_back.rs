//! What holds back the goals that are not reached: what was measured on 2026-11-23, on two
//! processors for four validators and their clients, and what is only supposed.

use super::goal::Goal;

/// Where the time of a goal goes and what could shorten it; none when it was not looked into.
pub const fn of(goal: Goal) -> Option<&'static str> {
    match goal {
        Goal::G4 => Some(
            "Ordering alone decodes, verifies, executes and indexes nothing: 10 us of all \
             processors for a transaction. The rest of a transfer is in the table of \
             microseconds above, done by four nodes on two processors.",
        ),
        Goal::G6 => Some(
            "Measured on 2026-11-23: the processors are busy all the time (the nodes alone 1.9 of \
             2) although the load is half of G1; a transfer costs 425 us of all nodes, and blocks \
             hold 500 to 1,300 transfers instead of 7,000. Of a cycle of 100 ms with 500 \
             transfers 12 ms build the block, 15 to 25 execute it on the others and 15 to 40 \
             commit it; with 1,326 a block two fifths of the commit are the synced write. Tried: \
             gathering orders for 10, 20 and 40 ms before their signatures are verified (p99 391 \
             to 726 ms beside 404 and 454 without), so small batches of signatures are not it; a \
             lower priority for the threads that verify (388 ms beside 444, means of three pairs \
             of runs); the scheduler's batch class (420 and 443 beside 766 and 409). Supposed, \
             not measured: four nodes push each other's memory out of the caches and sort their \
             tables at the same moments; with a processor for each node both would be gone.",
        ),
        Goal::G9 => Some(
            "Measured on 2026-11-23: of 25 us for a transfer about 12 are its signature, 5 of \
             them the square root for its point R, a chain of 254 squarings each of which waits \
             for the one before; the other 13 are mostly its execution on one thread (reading \
             records 9 % of all, applying changes 5 %, copies 6 %). Both processors are busy, so \
             dividing execution alone would gain little here. Code for x86-64-v3 was no faster in \
             four pairs of runs. Supposed, not measured: square roots of several signatures side \
             by side, inside curve25519-dalek, would shorten their part, and a third processor \
             would leave execution as the bound, about 77,000 transfers/s.",
        ),
        _ => None,
    }
}
