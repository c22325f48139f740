//! Sends transactions over one stream per node and waits until they are final.

use std::collections::BTreeSet;
use std::time::Duration;

use cets_api::operations_client::OperationsClient;
use cets_api::transactions_client::TransactionsClient;
use cets_api::{StreamEventsRequest, SubmitRequest};
use cets_contracts::block::{EventRecord, Outcome, Receipt};
use cets_contracts::codec;
use cets_contracts::rules::settlement::settle_trades::TradeOutcome;
use cets_contracts::rules::{Event, Reject};
use cets_contracts::types::{ChainId, TxId};
use rayon::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::institutions::{Desk, Desks};
use super::orders::Order;
use super::phases::Phase;
use crate::client::{ANSWER_BYTES_MAX, Node, NodeReport, rejected, status_failure};
use crate::clock::now;
use crate::error::{CliError, ErrorKind};
use crate::text;

/// Longest time without a final answer while some are due.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long a transaction may wait to be ordered, in milliseconds.
const VALID_FOR_MILLIS: u64 = 600_000;

/// What the nodes say.
enum News {
    /// A transaction is final.
    Final(TxId, Verdict),
    /// A node did not take a transaction; its report as JSON.
    Refused(String),
    /// A stream broke.
    Broken(CliError),
}

/// What became of a transaction.
enum Verdict {
    Done,
    Rejected(Reject),
}

/// Connections for sending and for listening.
pub struct Driver {
    runtime: Runtime,
    chain_id: ChainId,
    lanes: Vec<UnboundedSender<SubmitRequest>>,
    news: UnboundedReceiver<News>,
    salt: u64,
}

impl Driver {
    /// Opens one lane per node and listens to the first; `reader` may read everything.
    pub fn open(nodes: &[Node], reader: &Desk) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| CliError::bug(text!("no runtime: {error}", "无法启动：{error}")))?;
        let first =
            nodes.first().ok_or_else(|| CliError::bug(text!("there is no node", "没有节点")))?;
        let chain_id = first.chain_id()?;
        let (sender, news) = unbounded_channel();
        let from_log_index = first.status_now()?.log_size;
        runtime.spawn(listen(first.clone(), reader.clone(), from_log_index, sender.clone()));
        let lanes = nodes.iter().map(|node| {
            let (lane, requests) = unbounded_channel();
            runtime.spawn(send(node.clone(), requests, sender.clone()));
            lane
        });
        let lanes = lanes.collect();
        Ok(Self { runtime, chain_id, lanes, news, salt: 0 })
    }

    /// Sends the orders of a phase and waits until all are final and carried out; returns their
    /// number. `progress` is told the number of every few that became final.
    pub fn run(
        &mut self,
        phase: &Phase,
        desks: &Desks,
        progress: &dyn Fn(u64),
    ) -> Result<u64, CliError> {
        let together = if phase.in_sequence { 1 } else { phase.orders.len().max(1) };
        for orders in phase.orders.chunks(together) {
            let mut due = BTreeSet::new();
            for (lane, id, transaction) in self.sign(orders, desks)? {
                due.insert(id);
                self.submit(lane, transaction)?;
            }
            while !due.is_empty() {
                let id = self.next_final()?;
                progress(u64::from(due.remove(&id)));
            }
        }
        Ok(phase.orders.len() as u64)
    }

    /// Signed transactions with the lane of each: an account always uses the same.
    fn sign(
        &mut self,
        orders: &[Order],
        desks: &Desks,
    ) -> Result<Vec<(usize, TxId, Vec<u8>)>, CliError> {
        let valid_until = now()?.saturating_add_millis(VALID_FOR_MILLIS);
        let (chain_id, lanes, salt) = (self.chain_id, self.lanes.len(), self.salt);
        self.salt = salt.saturating_add(orders.len() as u64);
        let numbered = orders.par_iter().enumerate();
        let signed = numbered.map(|(index, order)| {
            let salt = salt.saturating_add(index as u64);
            let desk = desks.desk(order.account);
            let transaction = desk.sign(chain_id, valid_until, salt, order.payload.clone());
            let number = usize::try_from(order.account.number()).unwrap_or(0);
            let lane = number.checked_rem(lanes).unwrap_or(0);
            (lane, transaction.body.id(), transaction.encode())
        });
        Ok(signed.collect())
    }

    fn submit(&self, lane: usize, transaction: Vec<u8>) -> Result<(), CliError> {
        let sent = self.lanes.get(lane).map(|lane| lane.send(SubmitRequest { transaction }));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(CliError::new(
                ErrorKind::Unreachable,
                text!("the stream to a node is closed", "到节点的流已关闭"),
            )),
        }
    }

    /// The next transaction that is final and was carried out.
    fn next_final(&mut self) -> Result<TxId, CliError> {
        let news = &mut self.news;
        let next = self.runtime.block_on(async {
            tokio::select! {
                next = tokio::time::timeout(SILENCE_MAX, news.recv()) => Some(next),
                _ = tokio::signal::ctrl_c() => None,
            }
        });
        match next {
            None => Err(CliError::user(text!("interrupted", "已中断"))),
            Some(Ok(Some(News::Final(id, Verdict::Done)))) => Ok(id),
            Some(Ok(Some(News::Final(id, Verdict::Rejected(reject))))) => {
                Err(rejected(id, &reject))
            }
            Some(Ok(Some(News::Refused(report)))) => Err(NodeReport::parse(&report).map_or_else(
                || {
                    CliError::new(
                        ErrorKind::Rejected,
                        text!("refused: {report}", "被拒绝：{report}"),
                    )
                },
                NodeReport::into_failure,
            )),
            Some(Ok(Some(News::Broken(error)))) => Err(error),
            Some(Ok(None)) | Some(Err(_)) => {
                let seconds = SILENCE_MAX.as_secs();
                Err(CliError::new(
                    ErrorKind::Unreachable,
                    text!(
                        "no transaction became final for {seconds} s",
                        "{seconds} 秒内没有交易生效"
                    ),
                )
                .hint(text!("read the nodes' logs", "请查看各节点日志")))
            }
        }
    }
}

/// Feeds a node's submission stream; reports what it does not take.
async fn send(node: Node, requests: UnboundedReceiver<SubmitRequest>, news: UnboundedSender<News>) {
    let mut client = TransactionsClient::new(node.channel());
    let answers = client.submit_stream(UnboundedReceiverStream::new(requests)).await;
    let broken = |status| News::Broken(status_failure(node.address(), &status));
    let mut answers = match answers {
        Ok(answers) => answers.into_inner(),
        // The replay may have ended; then nobody listens.
        Err(status) => return news.send(broken(status)).unwrap_or_default(),
    };
    loop {
        let said = match answers.message().await {
            Ok(Some(answer)) if answer.error.is_empty() => continue,
            Ok(Some(answer)) => News::Refused(answer.error),
            Ok(None) => return,
            Err(status) => return news.send(broken(status)).unwrap_or_default(),
        };
        if news.send(said).is_err() {
            return;
        }
    }
}

/// Reports every transaction that becomes final; reconnects with a fresh token when cut off.
async fn listen(node: Node, reader: Desk, from_log_index: u64, news: UnboundedSender<News>) {
    let mut next = from_log_index;
    loop {
        let before = next;
        let ended = listen_once(&node, &reader, &mut next, &news).await;
        match ended {
            Ok(()) => return,
            // A stream that brought something is taken up again where it broke.
            Err(_) if next > before => {}
            Err(error) => {
                // The replay may have ended; then nobody listens.
                return news.send(News::Broken(error)).unwrap_or_default();
            }
        }
    }
}

async fn listen_once(
    node: &Node,
    reader: &Desk,
    next: &mut u64,
    news: &UnboundedSender<News>,
) -> Result<(), CliError> {
    let reading = match reader.keys.first() {
        Some(key) => node.clone().read_for(reader.account, key)?,
        None => node.clone(),
    };
    let failure = |status: tonic::Status| status_failure(node.address(), &status);
    let request =
        StreamEventsRequest { from_log_index: *next, follow: true, account: String::new() };
    let mut client = OperationsClient::new(reading.channel());
    client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
    let mut events = client.stream_events(request).await.map_err(failure)?.into_inner();
    while let Some(event) = events.message().await.map_err(failure)? {
        *next = event.log_index.saturating_add(1);
        let receipt: Receipt = node.decode("receipt", &event.receipt)?;
        let verdict = verdict(&receipt, &event.events).ok_or_else(|| node.nonsense("event"))?;
        if news.send(News::Final(receipt.tx_id, verdict)).is_err() {
            return Ok(());
        }
    }
    Err(CliError::new(ErrorKind::Unreachable, text!("the event stream ended", "事件流已结束")))
}

/// What became of a transaction; a batch of trades counts as refused when any of them failed.
fn verdict(receipt: &Receipt, events: &[u8]) -> Option<Verdict> {
    if let Outcome::Rejected(reject) = &receipt.outcome {
        return Some(Verdict::Rejected(reject.clone()));
    }
    let record: EventRecord = codec::decode(events).ok()?;
    let Event::SettleTrades(settled) = record.event else { return Some(Verdict::Done) };
    let failed = settled.outcomes.into_iter().find_map(|outcome| match outcome {
        TradeOutcome::Failed(reject) => Some(reject),
        TradeOutcome::Settled { .. } => None,
    });
    Some(failed.map_or(Verdict::Done, Verdict::Rejected))
}
