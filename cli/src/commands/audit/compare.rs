//! `cets audit compare`: finds the serials on which nodes, exports and own lists differ.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cets_contracts::audit::{Difference, HISTORY_MAGIC};
use cets_contracts::types::{Height, Instrument, Tonnes};
use clap::Args;
use serde_json::{Value, json};

use crate::audit::{Comparison, HeldBy, Holdings, HoldingsFilter, HoldingsSource, status_name};
use crate::client::Node;
use crate::error::{CliError, ErrorKind};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;
use crate::text::Text;

/// Most differences that a table shows; JSON has all.
const ROWS_SHOWN_MAX: usize = 200;

/// Arguments of `cets audit compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Nodes (http://…), exported histories, or CSV lists with the columns account, instrument,
    /// first, last and perhaps status; the first is held against each other one. With one, it is
    /// held against the context's node; with none, all nodes of the context are compared
    #[arg(value_name = "SIDE")]
    sides: Vec<String>,
    /// Compares only the holdings of this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Compares only this instrument, such as CEA-2021
    #[arg(long, value_name = "INSTRUMENT")]
    instrument: Option<String>,
}

/// Runs `cets audit compare`.
pub fn run(args: &CompareArgs, session: &Session<'_>) -> Result<Report, CliError> {
    let account = args.account.as_deref().map(|name| session.account_named(name)).transpose()?;
    let instrument = args.instrument.as_deref().map(|text| {
        text.parse::<Instrument>()
            .map_err(|error| CliError::usage(text!("`{text}`: {error}", "`{text}`：{error}")))
    });
    let filter = HoldingsFilter { account, instrument: instrument.transpose()? };
    let sides = sides(args, session)?;
    let [first, others @ ..] = sides.as_slice() else {
        return Err(CliError::usage(text!("nothing to compare", "没有可比对的对象")));
    };
    if others.is_empty() {
        return Err(CliError::usage(text!(
            "one side alone cannot be compared",
            "仅有一方，无法比对"
        ))
        .hint(text!(
            "name another node, an exported history or a CSV list",
            "请另指定节点、导出的历史或 CSV 清单"
        )));
    }
    let mut report = Compared::default();
    for other in others {
        let started = Instant::now();
        let roots = equal_history(first, other)?;
        let (a, b) = (first.read(&filter)?, other.read(&filter)?);
        let names = [a.name.clone(), b.name.clone()];
        let heights = [a.height, b.height];
        let compared = compare(first, other, a, b, &filter)?;
        let millis = started.elapsed().as_millis();
        report.add(names, heights, roots, &compared, millis);
    }
    Ok(report.finish())
}

fn sides(args: &CompareArgs, session: &Session<'_>) -> Result<Vec<HoldingsSource>, CliError> {
    let mut sides = Vec::new();
    for side in &args.sides {
        sides.push(side_of(side, session)?);
    }
    let node = |node: Node| HoldingsSource::Node(Box::new(node));
    match sides.len() {
        0 => {
            for address in &session.context().nodes {
                sides.push(node(session.node_at(address)?));
            }
        }
        // One's own list stands against what the network says.
        1 => sides.insert(0, node(session.node()?)),
        _ => {}
    }
    Ok(sides)
}

fn side_of(side: &str, session: &Session<'_>) -> Result<HoldingsSource, CliError> {
    let path = Path::new(side);
    if path.is_dir() || is_history(path) {
        return Ok(HoldingsSource::Export(PathBuf::from(side)));
    }
    if path.exists() {
        return Ok(HoldingsSource::List(PathBuf::from(side)));
    }
    if side.contains("://") || side.contains(':') {
        return Ok(HoldingsSource::Node(Box::new(session.node_at(side)?)));
    }
    Err(CliError::usage(text!(
        "`{side}` is neither a file nor the address of a node",
        "`{side}` 既不是文件也不是节点地址"
    )))
}

pub(super) fn is_history(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0u8; HISTORY_MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *HISTORY_MAGIC
}

/// Between two nodes: the newest height that both have, and whether they have the same block
/// there.
fn equal_history(
    first: &HoldingsSource,
    second: &HoldingsSource,
) -> Result<Option<(u64, bool)>, CliError> {
    let (HoldingsSource::Node(first), HoldingsSource::Node(second)) = (first, second) else {
        return Ok(None);
    };
    let height = first.status_now()?.height.min(second.status_now()?.height);
    if height == 0 {
        return Ok(Some((0, true)));
    }
    let id = |node: &Node| Ok::<_, CliError>(node.header(Some(Height::new(height)))?.0.id());
    Ok(Some((height, id(first)? == id(second)?)))
}

fn compare(
    first: &HoldingsSource,
    second: &HoldingsSource,
    a: Holdings,
    b: Holdings,
    filter: &HoldingsFilter,
) -> Result<Comparison, CliError> {
    // The node that is further knows the movements in between.
    let further = if a.height >= b.height { first } else { second };
    a.compare(b, filter, |after, to| match further {
        HoldingsSource::Node(node) => node.movements(after, to),
        HoldingsSource::Export(_) | HoldingsSource::List(_) => Err(CliError::user(text!(
            "the sides stand at heights {after} and {to}, and no node tells what moved in between",
            "双方高度分别为 {after} 与 {to}，且没有节点可提供期间的变动"
        ))
        .hint(text!(
            "export both at one height, or compare with the node that is further",
            "请在同一高度导出，或与更新的节点比对"
        ))),
    })
}

#[derive(Default)]
struct Compared {
    comparisons: Vec<Value>,
    facts: Vec<Vec<(Text, Cell)>>,
    rows: Vec<Vec<Cell>>,
    differences: usize,
    forked: bool,
}

impl Compared {
    fn add(
        &mut self,
        names: [String; 2],
        heights: [Option<Height>; 2],
        history: Option<(u64, bool)>,
        compared: &Comparison,
        millis: u128,
    ) {
        let tonnes: u64 = compared
            .differences
            .iter()
            .map(|one| one.range.tonnes().get())
            .fold(0, u64::saturating_add);
        self.differences = self.differences.saturating_add(compared.differences.len());
        self.forked |= history.is_some_and(|(_, equal)| !equal);
        let shown = |height: Option<Height>| match height {
            Some(height) => Cell::number(height),
            None => text!("a list", "清单").into(),
        };
        let history_text = match history {
            Some((height, true)) => text!("the same up to {height}", "至 {height} 一致"),
            Some((height, false)) => text!("other blocks at {height}", "在 {height} 处区块不同"),
            None => text!("not compared", "未比对"),
        };
        self.facts.push(vec![
            (text!("left", "左方"), Cell::same(&names[0])),
            (text!("right", "右方"), Cell::same(&names[1])),
            (text!("height of the left", "左方高度"), shown(heights[0])),
            (text!("height of the right", "右方高度"), shown(heights[1])),
            (text!("history", "历史"), history_text.into()),
            (text!("ranges on the left", "左方区间"), Cell::number(compared.left_ranges)),
            (text!("ranges on the right", "右方区间"), Cell::number(compared.right_ranges)),
            (text!("movements between the heights", "期间变动"), Cell::number(compared.movements)),
            (text!("differences", "差异"), Cell::number(compared.differences.len())),
            (text!("tonnes in them", "涉及吨数"), Cell::number(Tonnes::new(tonnes))),
            (text!("milliseconds", "毫秒"), Cell::number(millis)),
        ]);
        let pair = format!("{} | {}", names[0], names[1]);
        for difference in &compared.differences {
            if self.rows.len() < ROWS_SHOWN_MAX {
                self.rows.push(row(&pair, difference));
            }
        }
        self.comparisons.push(json!({
            "left": names[0], "right": names[1],
            "left_height": heights[0], "right_height": heights[1],
            "common_height": history.map(|(height, _)| height),
            "same_block_at_common_height": history.map(|(_, equal)| equal),
            "left_ranges": compared.left_ranges, "right_ranges": compared.right_ranges,
            "movements_between": compared.movements,
            "differences": compared.differences.iter().map(difference_json).collect::<Vec<_>>(),
            "milliseconds": u64::try_from(millis).unwrap_or(u64::MAX),
        }));
    }

    fn finish(self) -> Report {
        let equal = self.differences == 0 && !self.forked;
        let mut report = Report::new(json!({
            "equal": equal, "comparisons": self.comparisons,
        }));
        for facts in self.facts {
            report = report.facts(facts);
        }
        if !self.rows.is_empty() {
            let columns = vec![
                left(text!("sides", "双方")),
                left(text!("serials", "编码")),
                right(text!("tonnes", "吨")),
                left(text!("on the left", "左方")),
                left(text!("on the right", "右方")),
            ];
            let hidden = self.differences.saturating_sub(self.rows.len());
            report = report.rows(columns, self.rows);
            if hidden > 0 {
                report = report.line(text!(
                    "{hidden} more differences: see --output json",
                    "另有 {hidden} 处差异：见 --output json"
                ));
            }
        }
        if self.forked {
            report = report.line(text!(
                "The nodes decided different blocks: `cets audit blame` finds who signed both.",
                "节点确定了不同的区块：`cets audit blame` 可查出双重签名者。"
            ));
        }
        if equal {
            return report.line(text!("The holdings are the same.", "持有情况一致。"));
        }
        let differences = self.differences;
        report
            .line(text!(
                "{differences} ranges of serials differ.",
                "{differences} 段编码存在差异。"
            ))
            .failing(ErrorKind::User)
    }
}

fn held_text(held: Option<HeldBy>) -> Text {
    match held {
        None => text!("nowhere", "无"),
        Some(HeldBy { account, status: None }) => Text::same(account),
        Some(HeldBy { account, status: Some(status) }) => {
            Text::same(format!("{account} {}", status_name(status)))
        }
    }
}

fn row(pair: &str, difference: &Difference<HeldBy>) -> Vec<Cell> {
    vec![
        Cell::same(pair),
        Cell::same(difference.range),
        Cell::number(difference.range.tonnes()),
        held_text(difference.left).into(),
        held_text(difference.right).into(),
    ]
}

fn difference_json(difference: &Difference<HeldBy>) -> Value {
    let side = |held: Option<HeldBy>| {
        held.map(|held| json!({ "account": held.account, "status": held.status.map(status_name) }))
    };
    json!({
        "serials": difference.range.to_string(),
        "tonnes": difference.range.tonnes(),
        "left": side(difference.left),
        "right": side(difference.right),
    })
}
