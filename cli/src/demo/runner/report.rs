//! What the job shows at the end.

use std::time::Duration;

use cets_contracts::types::BlockTime;
use serde_json::{Value, json};

use super::chart::chart;
use super::holder::{HOLDER_NAME, Holder};
use super::processes::pid_path;
use super::run::{DemoOptions, Pace, Rejoined};
use super::trace::Traced;
use crate::audit::Audited;
use crate::clock::time_text;
use crate::demo::comparison::{Line, Outcome};
use crate::demo::quotes::Source;
use crate::demo::totals::Totals;
use crate::error::ErrorKind;
use crate::network::Network;
use crate::orders::place_text;
use crate::output::{Cell, Report, left, right};
use crate::text;
use crate::text::{Text, grouped};

/// Section of the rule book with the monthly figures.
const MONTHS_SECTION: &str = "8.4";

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Whether every comparison holds.
    pub holds: bool,
    /// Where the volumes came from.
    pub source: Source,
    /// The comparison with the published figures.
    pub lines: Vec<Line>,
    /// Totals of the ledger.
    pub totals: Totals,
    /// How fast it went.
    pub pace: Pace,
    /// The life of one tonne.
    pub traced: Traced,
    /// A desk for whoever tries the network afterwards.
    pub holder: Option<Holder>,
    /// How a killed node came back.
    pub rejoined: Rejoined,
    /// Heights at which all nodes hold the same block.
    pub heights_compared: u64,
    /// The audit.
    pub audited: Audited,
    /// Time of the whole job.
    pub elapsed: Duration,
}

/// The whole report.
pub fn report(findings: &Findings, network: &Network, options: &DemoOptions) -> Report {
    let mut report = Report::new(to_json(findings, network));
    report = comparison(report, findings);
    report = report.line(Text::same(""));
    for line in chart(&findings.totals) {
        report = report.line(line);
    }
    report = life_of_a_tonne(report.line(Text::same("")), &findings.traced, options.is_kept());
    report = report.line(Text::same("")).facts(facts(findings));
    if !options.exit {
        report = commands(report, network, findings);
    }
    if findings.holds {
        report.line(text!("Every comparison and the audit hold.", "全部比对与审计均成立。"))
    } else {
        report
            .line(text!(
                "Some figures of the ledger DIFFER from the published ones; see the table.",
                "账本中有数字与公布数字不一致，见上表。"
            ))
            .failing(ErrorKind::User)
    }
}

fn verdict(outcome: &Outcome) -> (Text, Text) {
    match outcome {
        Outcome::Holds(ledger) => (Text::same(ledger), text!("equal", "一致")),
        Outcome::Differs(ledger) => (Text::same(ledger), text!("DIFFERS", "不一致")),
        Outcome::NotApplicable(why, why_chinese) => {
            (Text::new((*why).to_owned(), (*why_chinese).to_owned()), text!("n/a", "不适用"))
        }
    }
}

fn comparison(report: Report, findings: &Findings) -> Report {
    // Months have long lines: they stand in a table of their own.
    let is_month = |line: &&Line| line.section == MONTHS_SECTION;
    let (months, others): (Vec<&Line>, Vec<&Line>) = findings.lines.iter().partition(is_month);
    let report = table(report, &others, text!("figure", "指标"));
    table(report.line(Text::same("")), &months, text!("month", "月份"))
}

fn table(report: Report, lines: &[&Line], figure: Text) -> Report {
    let columns = vec![
        left(text!("section", "章节")),
        left(figure),
        left(text!("published", "公布")),
        left(text!("ledger", "账本")),
        left(text!("", "")),
    ];
    let rows = lines.iter().map(|line| {
        let (ledger, verdict) = verdict(&line.outcome);
        vec![
            Cell::same(line.section),
            Text::new(line.english.clone(), line.chinese.clone()).into(),
            Cell::same(&line.published),
            ledger.into(),
            verdict.into(),
        ]
    });
    report.rows(columns, rows.collect())
}

fn life_of_a_tonne(report: Report, traced: &Traced, kept: bool) -> Report {
    let Traced { code, file, hops, height, .. } = traced;
    let file = file.display();
    let columns = vec![
        left(text!("block time", "区块时间")),
        right(text!("log index", "日志序号")),
        left(text!("order", "业务")),
        left(text!("from", "自")),
        left(text!("to", "至")),
    ];
    let rows = hops.iter().flat_map(|hop| {
        let body = hop.receipt.transaction.body();
        hop.movements.iter().map(move |movement| {
            let from = movement.from.as_ref();
            vec![
                Cell::same(time_text(hop.time)),
                Cell::number(hop.receipt.index),
                Cell::same(body.payload.rule().name),
                from.map_or_else(|| text!("issued", "新发放"), place_text).into(),
                place_text(&movement.to).into(),
            ]
        })
    });
    let report = report
        .line(text!("The life of one tonne, {code}:", "一吨的全程，{code}："))
        .rows(columns, rows.collect())
        .line(text!(
            "Proved offline with the genesis file alone, as of block {height}.",
            "已仅凭创世文件离线验证，截至区块 {height}。"
        ));
    match kept {
        true => report.line(text!("The proof: {file}", "证明文件：{file}")),
        false => report,
    }
}

/// Per second, in whole numbers.
fn per_second(count: u64, elapsed: Duration) -> u128 {
    let millis = elapsed.as_millis().max(1);
    u128::from(count).saturating_mul(1_000).checked_div(millis).unwrap_or(0)
}

/// Seconds with a tenth.
fn seconds(elapsed: Duration) -> Text {
    let tenths = elapsed.as_millis() / 100;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    text!("{whole}.{tenth} s", "{whole}.{tenth} 秒")
}

fn facts(findings: &Findings) -> Vec<(Text, Cell)> {
    let Pace { transactions, trades, elapsed } = findings.pace;
    let Rejoined { name, missed, answered, caught_up } = &findings.rejoined;
    let source = match findings.source {
        Source::Daily => text!("daily quotes", "每日行情"),
        Source::Monthly => text!("published monthly figures", "公布的月度数据"),
    };
    let count = |wanted: fn(&Outcome) -> bool| {
        findings.lines.iter().filter(|line| wanted(&line.outcome)).count()
    };
    let holding = count(|outcome| matches!(outcome, Outcome::Holds(_)));
    let absent = count(|outcome| matches!(outcome, Outcome::NotApplicable(..)));
    let differing = count(|outcome| matches!(outcome, Outcome::Differs(_)));
    let blocks = findings.heights_compared;
    let caught_up = seconds(*caught_up);
    let answered = seconds(*answered);
    vec![
        (text!("market", "市场数据"), source.into()),
        (
            text!("figures", "指标"),
            text!(
                "{holding} equal, {differing} different, {absent} not applicable",
                "{holding} 项一致，{differing} 项不一致，{absent} 项不适用"
            )
            .into(),
        ),
        (text!("transactions", "交易"), Cell::number(transactions)),
        (text!("trades settled", "结算成交笔数"), Cell::number(trades)),
        (text!("replay", "回放用时"), seconds(elapsed).into()),
        (
            text!("transactions per second", "每秒交易"),
            Cell::number(per_second(transactions, elapsed)),
        ),
        (text!("trades per second", "每秒成交"), Cell::number(per_second(trades, elapsed))),
        (
            text!("four nodes, equal blocks and state roots", "四节点区块与状态根一致"),
            text!("at all {} heights", "全部 {} 个高度", grouped(blocks)).into(),
        ),
        (
            text!("killed and rejoined", "强制终止后重新加入"),
            Text::new(
                format!(
                    "{name}: {missed} blocks missed, answered after {}, complete after {}",
                    answered.get(crate::text::Lang::En),
                    caught_up.get(crate::text::Lang::En)
                ),
                format!(
                    "{name}：缺 {missed} 个区块，{} 后应答，{} 后完整",
                    answered.get(crate::text::Lang::Zh),
                    caught_up.get(crate::text::Lang::Zh)
                ),
            )
            .into(),
        ),
        (text!("audit", "审计"), audit_text(&findings.audited).into()),
        (text!("whole job", "总用时"), seconds(findings.elapsed).into()),
    ]
}

fn audit_text(audited: &Audited) -> Text {
    let time = seconds(audited.elapsed);
    Text::new(
        format!("from genesis, holds, {}", time.get(crate::text::Lang::En)),
        format!("自创世起成立，{}", time.get(crate::text::Lang::Zh)),
    )
}

fn commands(report: Report, network: &Network, findings: &Findings) -> Report {
    let home = network.client_home.display();
    let program = std::env::current_exe().unwrap_or_else(|_| "cets".into());
    let program = program.display();
    let cets = format!("{program} --home {home}");
    let code = &findings.traced.code;
    let pids = network.nodes.iter().map(|node| pid_path(node).display().to_string());
    let pids: Vec<String> = pids.collect();
    let pids = pids.join(" ");
    let mut report = report
        .line(text!("The network runs on. Talk to it:", "网络继续运行。可用命令："))
        .line(Text::same(format!("  {cets} status")))
        .line(Text::same(format!("  {cets} trace {code}")))
        .line(Text::same(format!("  {cets} audit verify --all-nodes")));
    if let Some(Holder { instrument, other, .. }) = &findings.holder {
        report = report
            .line(Text::same(format!("  {cets} --context {HOLDER_NAME} holdings")))
            .line(Text::same(format!(
                "  {cets} --context {HOLDER_NAME} transfer {other} --instrument {instrument} \
                 --tonnes 100 --yes"
            )));
    }
    report.line(text!("Stop it: kill $(cat {pids})", "停止：kill $(cat {pids})"))
}

fn to_json(findings: &Findings, network: &Network) -> Value {
    let lines = findings.lines.iter().map(|line| {
        let (state, ledger) = match &line.outcome {
            Outcome::Holds(ledger) => ("equal", ledger.as_str()),
            Outcome::Differs(ledger) => ("different", ledger.as_str()),
            Outcome::NotApplicable(why, _) => ("not_applicable", *why),
        };
        json!({
            "section": line.section,
            "figure": line.english,
            "published": line.published,
            "ledger": ledger,
            "outcome": state,
        })
    });
    let hops = findings.traced.hops.iter().map(|hop| {
        json!({
            "log_index": hop.receipt.index,
            "tx_id": hop.receipt.transaction.id(),
            "block_time_millis": BlockTime::as_millis(hop.time),
            "movements": hop.movements,
        })
    });
    let millis = |elapsed: Duration| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    json!({
        "holds": findings.holds,
        "comparisons": lines.collect::<Vec<_>>(),
        "transactions": findings.pace.transactions,
        "trades": findings.pace.trades,
        "replay_milliseconds": millis(findings.pace.elapsed),
        "whole_milliseconds": millis(findings.elapsed),
        "heights_compared": findings.heights_compared,
        "tonne": {
            "code": findings.traced.code,
            "proof": findings.traced.file,
            "life": hops.collect::<Vec<_>>(),
        },
        "rejoined": {
            "node": findings.rejoined.name,
            "blocks_missed": findings.rejoined.missed,
            "answered_milliseconds": millis(findings.rejoined.answered),
            "caught_up_milliseconds": millis(findings.rejoined.caught_up),
        },
        "audit": findings.audited.report,
        "client_home": network.client_home,
    })
}
