//! The methods of the interface, and requests to begin with.

use super::service::ServedNode;
use super::transactions::transaction_seeds;

/// A method of the interface.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its path.
    pub path: &'static str,
    /// Whether its answer is a stream.
    pub is_stream: bool,
}

const fn unary(path: &'static str) -> Method {
    Method { path, is_stream: false }
}

const fn stream(path: &'static str) -> Method {
    Method { path, is_stream: true }
}

/// All methods; append-only, as inputs name them by their place.
pub const METHODS: &[Method] = &[
    unary("/cets.v1.Transactions/Submit"),
    unary("/cets.v1.Transactions/SubmitAndWait"),
    stream("/cets.v1.Transactions/SubmitStream"),
    unary("/cets.v1.Transactions/Simulate"),
    unary("/cets.v1.Transactions/GetTransaction"),
    unary("/cets.v1.Transactions/ListTransactions"),
    unary("/cets.v1.Ledger/GetPublicAccount"),
    unary("/cets.v1.Ledger/ListPublicAccounts"),
    unary("/cets.v1.Ledger/GetAccount"),
    unary("/cets.v1.Ledger/ListAccounts"),
    unary("/cets.v1.Ledger/ListHoldings"),
    stream("/cets.v1.Ledger/StreamUnits"),
    unary("/cets.v1.Ledger/LookupSerial"),
    unary("/cets.v1.Ledger/ListObligations"),
    unary("/cets.v1.Ledger/ListTasks"),
    unary("/cets.v1.Ledger/ListSupplies"),
    unary("/cets.v1.Ledger/ListParameters"),
    unary("/cets.v1.Ledger/ListProjects"),
    unary("/cets.v1.Ledger/ListSettlements"),
    unary("/cets.v1.Ledger/TraceRange"),
    unary("/cets.v1.Ledger/ProveRecords"),
    unary("/cets.v1.Blocks/GetBlock"),
    stream("/cets.v1.Blocks/StreamBlocks"),
    unary("/cets.v1.Blocks/GetLogProof"),
    unary("/cets.v1.Blocks/GetConsistencyProof"),
    unary("/cets.v1.Blocks/GetCheckpoint"),
    unary("/cets.v1.Blocks/GetLogFile"),
    unary("/cets.v1.Blocks/GetGenesis"),
    unary("/cets.v1.Blocks/GetValidators"),
    unary("/cets.v1.Blocks/GetValidatorChanges"),
    unary("/cets.v1.Operations/GetStatus"),
    stream("/cets.v1.Operations/StreamEvents"),
    unary("/cets.v1.Operations/ListEvidence"),
];

/// A field of a protobuf message with bytes or text.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], varint(content.len() as u64).as_slice(), content].concat()
}

/// A field of a protobuf message with a number.
fn number(field: u8, value: u64) -> Vec<u8> {
    [&[field << 3], varint(value).as_slice()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut written = Vec::new();
    while value > 0x7f {
        written.push(value as u8 | 0x80);
        value >>= 7;
    }
    written.push(value as u8);
    written
}

/// An input: the method by the end of its path, the caller, the message.
fn ask(method: &str, caller: u8, message: &[Vec<u8>]) -> Vec<u8> {
    let place = METHODS.iter().position(|known| known.path.ends_with(&format!("/{method}")));
    [&[place.unwrap() as u8, caller], message.concat().as_slice()].concat()
}

/// One or more requests to every method.
pub fn grpc_seeds(node: &ServedNode) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for place in 0..METHODS.len() {
        seeds.extend([vec![place as u8, 0], vec![place as u8, 1]]);
    }
    let (government, page) = (b"CN-GOV-0000000001-00".as_slice(), number(2, 3));
    let account = node.handle.genesis().account_ids()[0].to_string();
    let account = bytes(1, account.as_bytes());
    for method in ["GetPublicAccount", "GetAccount", "ListObligations", "ListTasks"] {
        seeds.push(ask(method, 1, &[account.clone(), page.clone()]));
        seeds.push(ask(method, 2, &[bytes(1, government)]));
    }
    let first_page = number(1, 1);
    for method in ["ListSupplies", "ListParameters", "ListProjects"] {
        seeds.push(ask(method, 0, std::slice::from_ref(&first_page)));
    }
    let cea = bytes(2, b"CEA-1920");
    seeds.push(ask("ListHoldings", 1, &[account.clone(), cea, number(3, 2), number(5, 1)]));
    seeds.push(ask("ListAccounts", 1, &[bytes(1, b"KEE"), page.clone()]));
    seeds.push(ask("ListPublicAccounts", 0, &[bytes(1, b"KEE"), page.clone()]));
    seeds.push(ask("ListTransactions", 1, &[account.clone(), page]));
    seeds.push(ask("ListSettlements", 1, &[bytes(1, b"")]));
    seeds.push(ask("StreamUnits", 1, &[account.clone(), number(2, 8)]));
    seeds.push(ask("LookupSerial", 1, &[bytes(1, b"CEA-1920"), number(2, 7)]));
    let range = crate::sample_ledger::range(1, 9).to_string();
    seeds.push(ask("TraceRange", 1, &[bytes(1, range.as_bytes())]));
    seeds.push(ask("GetBlock", 1, &[number(1, 3)]));
    seeds.push(ask("StreamBlocks", 1, &[number(1, 2), number(2, 4)]));
    seeds.push(ask("GetLogProof", 1, &[number(1, 5), number(2, 20)]));
    seeds.push(ask("GetConsistencyProof", 0, &[number(1, 5), number(2, 20)]));
    for path in ["checkpoint", "tlog-policy", "tile/0/000.p/9", "tile/entries/000.p/9"] {
        seeds.push(ask("GetLogFile", 1, &[bytes(1, path.as_bytes())]));
    }
    seeds.push(ask("StreamEvents", 1, &[number(1, 3), number(2, 1), bytes(3, government)]));
    for key in node.keys() {
        seeds.push(ask("ProveRecords", 1, &[bytes(1, &key), number(2, 8)]));
    }
    for transaction in transaction_seeds().iter().take(24) {
        for method in ["Submit", "SubmitAndWait", "SubmitStream", "Simulate"] {
            seeds.push(ask(method, 1, &[bytes(1, transaction)]));
        }
        let body = &transaction[..transaction.len() - 65];
        seeds.push(ask("Simulate", 1, &[bytes(2, body)]));
    }
    seeds.push(ask("GetTransaction", 1, &[bytes(1, &[7; 32])]));
    seeds
}

/// Requests for every file, with and without somebody who asks.
pub fn http_seeds() -> Vec<Vec<u8>> {
    let paths = [
        "/checkpoint",
        "/tlog-policy",
        "/tile/0/000.p/9",
        "/tile/0/000",
        "/tile/entries/000.p/9",
        "/tile/7/x001/x234/067",
        "/metrics",
        "/health",
        "/ready",
        "/%2e%2e/tile//0",
        "/grpc.health.v1.Health/Check",
    ];
    let mut seeds: Vec<Vec<u8>> =
        paths.iter().map(|path| format!("GET {path}").into_bytes()).collect();
    seeds.push(
        b"GET /tile/entries/000?x=1\nauthorization: Bearer a.b.c\naccept-language: zh".into(),
    );
    seeds.push(b"HEAD /checkpoint\nrange: bytes=0-1\nif-none-match: *".to_vec());
    seeds.push(b"POST /cets.v1.Ledger/GetAccount\ncontent-type: application/grpc\n\nx".to_vec());
    seeds.push(b"OPTIONS *\ncontent-length: 99999999999\ntransfer-encoding: chunked".to_vec());
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_interface_is_among_the_methods() {
        let root = crate::workspace::root();
        let proto = std::fs::read_to_string(root.join("node/api/proto/cets.proto")).unwrap();
        let mut service = String::new();
        let mut found = Vec::new();
        for line in proto.lines() {
            let words: Vec<&str> = line.trim().split([' ', '(']).collect();
            match words.as_slice() {
                ["service", name, ..] => service = (*name).to_owned(),
                ["rpc", name, ..] => {
                    let answer = line.split("returns").nth(1).unwrap();
                    let path = format!("/cets.v1.{service}/{name}");
                    found.push((path, answer.contains("(stream ")));
                }
                _ => {}
            }
        }
        let listed = METHODS.iter().map(|method| (method.path.to_owned(), method.is_stream));
        assert_eq!(listed.collect::<Vec<_>>(), found);
    }
}
