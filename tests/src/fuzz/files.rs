//! Files that people hand to the command line.

use std::path::Path;

use cets_cli::audit::parse_list;
use cets_cli::certificates::Certificate;
use cets_cli::commands::issue::table_lines;
use cets_cli::config::{Config, Home};
use cets_cli::demo::quotes;
use cets_cli::error::CliError;
use cets_cli::keys::{Passphrase, decrypt_key, plain_key};
use cets_cli::log::Trust;
use cets_cli::orders::TransactionDocument;
use cets_cli::proofs::{Document, parse_document};
use cets_cli::text;
use cets_contracts::codec;
use cets_contracts::tx::{SignedTransaction, TxBody};

use super::proofs::proof_text_seeds;
use super::sample::{ledger, signing_key};
use super::target::{KIB, MIB, Target, text as text_of};
use super::transactions::transaction_seeds;

/// The targets of this file.
pub const TARGETS: &[Target] = &[
    Target::of_text("transaction-file", transaction_file)
        .reading("transaction files of `cets tx`")
        .holding("what is accepted is read again; all signed, it is a transaction")
        .up_to(16 * KIB)
        .weighing(100)
        .from_seeds(transaction_file_seeds),
    Target::of_text("issue-table", issue_table)
        .reading("allocation tables (CSV)")
        .holding("one line of the order for each line read")
        .weighing(400)
        .from_seeds(issue_table_seeds),
    Target::of_text("holdings-list", holdings_list)
        .reading("lists of holdings (CSV)")
        .holding("written again they read the same")
        .weighing(300)
        .from_seeds(holdings_list_seeds),
    Target::of_text("market-quotes", market_quotes)
        .reading("daily quotes of the exchange (CSV)")
        .holding("days in order, no empty volume; up to an earlier day it reads the same")
        .weighing(300)
        .from_seeds(market_quotes_seeds),
    Target::of_text("client-config", client_config)
        .reading("config.toml of the client")
        .holding("an accepted one is written again and reads the same")
        .weighing(40)
        .from_seeds(client_config_seeds),
    Target::of_text("key-file", key_file)
        .reading("key files, encrypted or not")
        .holding("whatever cost the file asks for, opening it is bounded")
        .up_to(2 * KIB)
        .within(80 * MIB)
        .weighing(6)
        .from_seeds(key_file_seeds),
    Target::of_bytes("proof-document", proof_document)
        .reading("files of `cets verify`: proofs and certificates, as text, JSON or PDF")
        .holding("a certificate that verifies says what the ledger says")
        .up_to(72 * KIB)
        .within(8 * MIB)
        .weighing(40)
        .from_seeds(proof_document_seeds),
    Target::of_bytes("exported-log", exported_log)
        .reading("changes of validators and the checkpoint of an exported log")
        .holding("a checkpoint that is judged good is the ledger's")
        .up_to(8 * KIB)
        .weighing(60)
        .from_seeds(exported_log_seeds),
];

fn file() -> &'static Path {
    Path::new("input")
}

/// Reads a transaction file.
pub fn transaction_file(bytes: &[u8]) -> bool {
    let Some(text) = text_of(bytes) else { return false };
    let Ok(document) = TransactionDocument::parse(text, file()) else { return false };
    let json = serde_json::to_string(&document).expect("a document has a JSON form");
    let again = TransactionDocument::parse(&json, file()).expect("its JSON form is read");
    assert_eq!((again.id(), again.body()), (document.id(), document.body()));
    if let Ok(transaction) = document.into_transaction() {
        let read: SignedTransaction = codec::decode(&transaction.encode()).unwrap();
        assert_eq!(read, transaction);
    }
    true
}

/// Reads an allocation table.
pub fn issue_table(bytes: &[u8]) -> bool {
    let Some(text) = text_of(bytes) else { return false };
    let named = |account: &str| {
        account.parse().map_err(|error| CliError::user(text!("{error}", "{error}")))
    };
    let Ok(lines) = table_lines(text, file(), named) else { return false };
    assert!(lines.len() <= text.lines().count());
    !lines.is_empty()
}

/// Reads a list of holdings.
pub fn holdings_list(bytes: &[u8]) -> bool {
    let Some(text) = text_of(bytes) else { return false };
    let Ok((ranges, has_status)) = parse_list("input", text) else { return false };
    assert!(ranges.iter().all(|(_, held)| held.status.is_some() == has_status));
    let mut written = "account,instrument,first,last\n".to_owned();
    for (range, held) in &ranges {
        let (first, last) = (range.start(), range.last());
        written += &format!("{},{},{first},{last}\n", held.account, range.instrument());
    }
    let (again, _) = parse_list("input", &written).expect("what is written is read");
    let places = |all: &[(_, cets_cli::audit::HeldBy)]| {
        all.iter().map(|(range, held)| (*range, held.account)).collect::<Vec<_>>()
    };
    assert_eq!(places(&again), places(&ranges));
    !ranges.is_empty()
}

/// Reads daily quotes.
pub fn market_quotes(bytes: &[u8]) -> bool {
    let Some(text) = text_of(bytes) else { return false };
    let [middle, end] = ["2021-07-19", "2031-12-31"].map(|day| day.parse().unwrap());
    let Ok(market) = quotes::read(text, end) else { return false };
    assert!(market.volumes.is_sorted_by_key(|volume| volume.date));
    assert!(market.volumes.iter().all(|volume| volume.tonnes.get() > 0 && volume.date <= end));
    let before: Vec<_> = market.volumes.iter().filter(|it| it.date <= middle).copied().collect();
    let shorter = quotes::read(text, middle).map(|market| market.volumes).unwrap_or_default();
    assert_eq!(shorter, before);
    true
}

/// Reads a configuration of the client.
pub fn client_config(bytes: &[u8]) -> bool {
    let Some(text) = text_of(bytes) else { return false };
    let home = Home::new("/home/somebody/.config/cets".into());
    let Ok(config) = home.parse_config(text) else { return false };
    let written = toml::to_string(&config).expect("a configuration is written");
    let again: Config = home.parse_config(&written).expect("what is written is read");
    assert_eq!(again, config);
    true
}

/// Opens a key file.
pub fn key_file(bytes: &[u8]) -> bool {
    let Some(text) = text_of(bytes) else { return false };
    let opened = decrypt_key(text, &Passphrase::new("correct horse"));
    opened.or_else(|_| plain_key(text)).is_ok()
}

/// Reads a file that claims to prove something.
pub fn proof_document(bytes: &[u8]) -> bool {
    let Ok(document) = parse_document(bytes.to_vec(), file()) else { return false };
    match document {
        Document::Tlog(proof) => drop(proof.verify(&ledger().policy(2))),
        Document::Evidence(evidence) => {
            let genesis = &ledger().genesis;
            let Some(certificate) = evidence.certificate else { return true };
            if let Ok(shown) = certificate.verify(genesis) {
                let own = Certificate::of(&evidence.proof, genesis).unwrap();
                assert_eq!(own.to_json(), shown.to_json());
            }
        }
    }
    true
}

/// Judges an exported log: two bytes for the length of the changes, the changes, the checkpoint.
pub fn exported_log(bytes: &[u8]) -> bool {
    let [high, low, rest @ ..] = bytes else { return false };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (changes, note) = rest.split_at(length);
    let Ok(trust) = Trust::new(&ledger().genesis, changes) else { return false };
    let Some(note) = text_of(note) else { return false };
    let Ok(judged) = trust.judge(note, None) else { return false };
    let mut known = (1..=4).map(|height| ledger().checkpoint(height));
    assert!(known.any(|known| known == judged.cosigned.checkpoint), "a checkpoint of nothing");
    true
}

fn transaction_file_seeds() -> Vec<Vec<u8>> {
    let read = |bytes: Vec<u8>| codec::decode::<SignedTransaction>(&bytes).unwrap();
    let signed = transaction_seeds().into_iter().map(read);
    let mut seeds: Vec<Vec<u8>> = signed
        .map(|transaction| serde_json::to_vec(&TransactionDocument::from(transaction)).unwrap())
        .collect();
    let body: TxBody = read(transaction_seeds().remove(3)).body;
    seeds.push(serde_json::to_vec(&TransactionDocument::new(body)).unwrap());
    seeds
}

fn issue_table_seeds() -> Vec<Vec<u8>> {
    let [one, two] = [1, 2].map(crate::sample_ledger::entity);
    let table = format!("account,tonnes\n{one},\"1_000\"\n\n{two}, 25\r\n");
    vec![table.into_bytes(), format!("\u{feff}{one},1\n").into_bytes()]
}

fn holdings_list_seeds() -> Vec<Vec<u8>> {
    let one = crate::sample_ledger::entity(1);
    let plain = format!("account,instrument,first,last\n{one},CEA-2021,1,100\n");
    let rich = format!(
        "\u{feff}name,status,Last,first,instrument,account\nA,free,\"9\",5,CEA-1920,{one}\n\
         B,surrendered,30,20,CCER-A210008-2021,{one}\n"
    );
    vec![plain.into_bytes(), rich.into_bytes()]
}

fn market_quotes_seeds() -> Vec<Vec<u8>> {
    let heading = quotes::COLUMNS.join(",");
    let rows = "2021-07-16,CEA,48.00,52.80,48.00,51.23,4103953,210230053.25,0,0.00,0,0.00,4103953,\
                210230053.25\n\
                2021-07-19,CEA,,,,52.30,0,0.00,100000,5230000.00,0,0.00,100000,5230000.00\n\
                2021-07-20,CEA,53.28,53.28,53.28,53.28,10,532.80,0,0.00,0,0.00,10,532.80\n\
                2021-07-20,CEA21,53.00,53.00,53.00,53.00,0,0.00,0,0.00,5,265.00,5,265.00\n";
    let composite = "2021-07-20,COMCEA,,,,53.19,10,532.80,0,0.00,5,265.00,15,797.80\n";
    [format!("{heading}\n{rows}"), format!("\u{feff}{heading}\n{rows}{composite}")]
        .map(String::into_bytes)
        .into()
}

fn client_config_seeds() -> Vec<Vec<u8>> {
    let one = crate::sample_ledger::entity(1);
    let chain = ledger().genesis.chain_id();
    let text = format!(
        "current = 'a'\n[contexts.a]\nnodes = ['http://127.0.0.1:9000']\nchain = '{chain}'\n\
         genesis = 'genesis.json'\naccount = 'plant'\nkeys = ['one', \"two\"]\n\
         password_file = 'x'\nplaintext = true\n[contexts.b]\n[accounts]\nplant = '{one}'\n"
    );
    vec![text.into_bytes(), Vec::new()]
}

fn key_file_seeds() -> Vec<Vec<u8>> {
    use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding};
    use pkcs8::PrivateKeyInfoRef;
    use pkcs8::pkcs5::{pbes2::Parameters, scrypt::Params};
    let pair = KeypairBytes { secret_key: signing_key(7).to_bytes(), public_key: None };
    let (der, salt, iv) = (pair.to_pkcs8_der().unwrap(), [1; 16], [2; 16]);
    let encrypted = |parameters: Parameters| {
        let info = PrivateKeyInfoRef::try_from(der.as_bytes()).unwrap();
        let document = info.encrypt_with_params(parameters, b"correct horse").unwrap();
        document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap().as_bytes().to_vec()
    };
    let cheap = Params::new(1, 8, 1).unwrap();
    let scrypt = Parameters::generate_scrypt_aes256cbc(cheap, &salt, iv).unwrap();
    let pbkdf2 = Parameters::generate_pbkdf2_sha256_aes256cbc(2, &salt, iv).unwrap();
    let plain = pair.to_pkcs8_pem(LineEnding::LF).unwrap().as_bytes().to_vec();
    vec![plain, encrypted(scrypt), encrypted(pbkdf2)]
}

fn proof_document_seeds() -> Vec<Vec<u8>> {
    let mut seeds = proof_text_seeds();
    seeds.push(crate::formats::samples()["receipt.tlog-proof"].clone().into_bytes());
    seeds.extend(super::certificates::certificates());
    seeds
}

fn exported_log_seeds() -> Vec<Vec<u8>> {
    let changes = codec::encode(&ledger().validators);
    let length = u16::try_from(changes.len()).unwrap().to_be_bytes();
    (1..=4)
        .map(|height| {
            let note = ledger().cosigned(height, 4).to_string();
            [&length[..], &changes, note.as_bytes()].concat()
        })
        .collect()
}
