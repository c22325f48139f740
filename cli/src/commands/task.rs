//! `cets task`: orders that wait for other people's approval.

use cets_contracts::rules::Payload;
use cets_contracts::rules::governance::approve::Approve;
use cets_contracts::rules::governance::reject::Reject;
use cets_contracts::state::Task;
use cets_contracts::types::{AccountId, TaskId};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Node;
use crate::clock::time_text;
use crate::error::CliError;
use crate::orders::{OrderArgs, carry_out, payload_facts};
use crate::output::{Cell, Report, left, right};
use crate::session::Session;
use crate::text;

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Lists the tasks of an account
    List {
        /// Number or name [default: the context's account]
        account: Option<String>,
    },
    /// Shows the order of a task in full
    Show {
        /// Identifier, or its first digits
        task: String,
        /// Number or name of the account [default: the context's]
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
    },
    /// Approves a task; the last approval that is needed carries its order out
    Approve {
        /// Identifier
        task: TaskId,
        /// Who acts, and how far to go.
        #[command(flatten)]
        order: OrderArgs,
    },
    /// Rejects a task: its order will not be carried out
    Reject {
        /// Identifier
        task: TaskId,
        /// Why, for the people who signed it; no personal data
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who acts, and how far to go.
        #[command(flatten)]
        order: OrderArgs,
    },
}

/// Runs `cets task`.
pub fn run(command: TaskCommand, session: &mut Session<'_>) -> Result<Report, CliError> {
    match command {
        TaskCommand::List { account } => {
            let account = session.acting_account(account.as_deref())?;
            Ok(list(&session.node()?.tasks(account)?))
        }
        TaskCommand::Show { task, account } => {
            let account = session.acting_account(account.as_deref())?;
            let (id, task) = task_named(&session.node()?, account, &task)?;
            Ok(one(id, &task))
        }
        TaskCommand::Approve { task, order } => {
            carry_out(session, Payload::from(Approve { task }), &order)
        }
        TaskCommand::Reject { task, reason, order } => {
            carry_out(session, Payload::from(Reject { task, reason }), &order)
        }
    }
}

/// The task of an account whose identifier begins so.
pub fn task_named(
    node: &Node,
    account: AccountId,
    first: &str,
) -> Result<(TaskId, Task), CliError> {
    let mut tasks = node.tasks(account)?;
    tasks.retain(|(id, _)| id.to_string().starts_with(first));
    let found = tasks.pop();
    match (found, tasks.is_empty()) {
        (Some(found), true) => Ok(found),
        (None, _) => Err(CliError::user(text!(
            "account {account} has no task {first}",
            "账户 {account} 没有待办 {first}"
        ))),
        (Some(_), false) => Err(CliError::user(text!(
            "several tasks begin with {first}",
            "有多个待办以 {first} 开头"
        ))),
    }
}

fn task_json(id: TaskId, task: &Task) -> Value {
    json!({
        "task": id,
        "account": task.account,
        "order": task.payload,
        "initiators": task.initiators,
        "approvers": task.approvers,
        "valid_until_millis": task.valid_until,
    })
}

fn list(tasks: &[(TaskId, Task)]) -> Report {
    let columns = vec![
        left(text!("task", "待办")),
        left(text!("order", "业务")),
        right(text!("signed", "已签")),
        left(text!("valid until", "有效至")),
    ];
    let rows = tasks.iter().map(|(id, task)| {
        vec![
            Cell::same(id),
            Cell::same(task.payload.rule().name),
            Cell::number(task.initiators.len().saturating_add(task.approvers.len())),
            Cell::same(time_text(task.valid_until)),
        ]
    });
    let json: Vec<Value> = tasks.iter().map(|(id, task)| task_json(*id, task)).collect();
    Report::new(json!({ "tasks": json })).rows(columns, rows.collect())
}

fn one(id: TaskId, task: &Task) -> Report {
    let mut facts = vec![
        (text!("task", "待办"), Cell::same(id)),
        (text!("account", "账户"), Cell::same(task.account)),
        (text!("valid until", "有效至"), Cell::same(time_text(task.valid_until))),
    ];
    facts.extend(task.initiators.iter().map(|key| (text!("proposed by", "发起"), Cell::same(key))));
    facts.extend(task.approvers.iter().map(|key| (text!("approved by", "复核"), Cell::same(key))));
    Report::new(task_json(id, task)).facts(facts).facts(payload_facts(&task.payload))
}
