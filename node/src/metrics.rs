//! Figures for the metrics endpoint.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::handle::NodeStatus;

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Every figure with its unit and meaning.
const FIGURES: &[(&str, &str)] = &[
    ("cets_height", "Height of the newest committed block"),
    ("cets_block_time_seconds", "Time of the newest committed block, seconds since 1970"),
    ("cets_log_entries", "Entries of the log"),
    ("cets_mempool_transactions", "Transactions that wait for a block"),
    ("cets_mempool_bytes", "Bytes of transactions that wait for a block"),
    ("cets_consensus_peers", "Connected peers of the consensus network"),
    ("cets_gossip_peers", "Connected peers of the gossip network"),
    ("cets_consensus_round", "Round of the height being decided"),
    ("cets_healthy", "1 when the node is healthy, else 0"),
    ("cets_blocks_committed_total", "Blocks committed since the start"),
    ("cets_transactions_accepted_total", "Ordered transactions whose rule applied"),
    ("cets_transactions_rejected_total", "Ordered transactions that their rule refused"),
    ("cets_submissions_total", "Transactions submitted, by origin and result"),
    ("cets_rpc_requests_total", "Answered calls of the interface, by method and code"),
    ("cets_rpc_seconds", "Time until a call of the interface is answered, by method"),
    ("cets_rpc_calls_refused_total", "Calls and streams refused because too many are open"),
    ("cets_rpc_answers_refused_total", "Answers refused because others wait to be read"),
    (
        "cets_rpc_submissions_refused_total",
        "Submissions refused because others are not checked yet",
    ),
    ("cets_rpc_connections_refused_total", "Connections refused because too many are open"),
    ("cets_rpc_connections_silent_total", "Connections closed because nobody spoke or read"),
    ("cets_states_not_kept_total", "States that were to be kept and could not be"),
    ("cets_commit_seconds", "Time to make a block durable and visible"),
    ("cets_execute_seconds", "Time to verify and execute a block"),
    ("cets_build_seconds", "Time to build a block, without waiting for transactions"),
    ("cets_gossip_bytes_sent_total", "Bytes of pushed transactions"),
    ("cets_gossip_bytes_received_total", "Bytes of received pushes"),
    ("cets_gossip_pushes_failed_total", "Pushes that were not answered"),
    ("cets_gossip_pushes_dropped_total", "Pushes dropped because a peer is too slow"),
    ("cets_gossip_garbage_total", "Worthless transactions and cosignatures received from peers"),
    ("cets_checkpoint_entries", "Entries that the newest checkpoint with a quorum covers"),
    (
        "cets_checkpoint_lag_entries",
        "Entries of the log beyond the newest checkpoint with a quorum",
    ),
    ("cets_checkpoint_own_entries", "Entries of the newest checkpoint that this node cosigned"),
    ("cets_checkpoint_conflicts_total", "Cosignatures of validators that contradict this log"),
    ("cets_cosignatures_dropped_total", "Cosignatures passed over because a peer sent too many"),
];

/// Collects figures from now on. A process has one collector; a second node in it gets none.
pub fn install() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(SECONDS).ok()?;
    let handle = builder.install_recorder().ok()?;
    for (name, meaning) in FIGURES {
        match name.strip_suffix("_total") {
            Some(_) => metrics::describe_counter!(*name, *meaning),
            None if name.ends_with("_seconds") && *name != "cets_block_time_seconds" => {
                metrics::describe_histogram!(*name, *meaning);
            }
            None => metrics::describe_gauge!(*name, *meaning),
        }
    }
    Some(handle)
}

/// Shows a status in the figures.
pub(crate) fn show(status: &NodeStatus, gossip_peers: usize, round: u32) {
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    set("cets_height", status.tip.height.get());
    set("cets_block_time_seconds", status.tip.time.as_millis() / 1_000);
    set("cets_log_entries", status.tip.log_size);
    set("cets_mempool_transactions", count(status.mempool.transactions));
    set("cets_mempool_bytes", count(status.mempool.bytes));
    set("cets_consensus_peers", count(status.peers));
    set("cets_gossip_peers", count(gossip_peers));
    set("cets_consensus_round", round.into());
    set("cets_healthy", u64::from(status.problem.is_none()));
}

/// Shows a number as a figure.
#[allow(clippy::cast_precision_loss, reason = "figures are for people and charts")]
pub(crate) fn set(name: &'static str, value: u64) {
    metrics::gauge!(name).set(value as f64);
}

/// Adds a time to a figure.
pub(crate) fn record(name: &'static str, time: Duration) {
    metrics::histogram!(name).record(time);
}

/// Adds a number to a figure.
pub(crate) fn add(name: &'static str, count: usize) {
    metrics::counter!(name).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Names of figures in the code of a folder, outside of this file.
    fn named_in(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_in(&path, names);
            } else if path.file_name().is_some_and(|name| name != "metrics.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').filter(|part| part.starts_with("cets_"));
                let is_name =
                    |part: &&str| part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                names.extend(quoted.filter(is_name).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_figure_that_is_counted_is_described_and_the_other_way_round() {
        let mut counted = BTreeSet::new();
        named_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut counted);
        let shown = include_str!("metrics.rs").split("pub(crate) fn show").nth(1).unwrap();
        let shown = shown.split("#[cfg(test)]").next().unwrap().split('"');
        counted.extend(shown.filter(|part| part.starts_with("cets_")).map(str::to_owned));
        let described: BTreeSet<String> =
            FIGURES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(counted, described);
    }
}
