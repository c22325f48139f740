//! Connecting to the first node that answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cets_api::operations_client::OperationsClient;
use cets_api::token::{TOKEN_LIFE_SECONDS_MAX, TOKEN_METADATA, bearer, mint};
use cets_api::{GetStatusRequest, NodeStatus};
use cets_contracts::types::{AccountId, ChainId};
use ed25519_dalek::SigningKey;
use tokio::runtime::Runtime;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::status_failure;
use crate::clock::now;
use crate::config::Context;
use crate::error::{CliError, ErrorKind};
use crate::keys::{KeyFileError, key_error};
use crate::session::Session;
use crate::text;
use crate::text::Lang;

/// Longest wait for a connection to one node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Silence after which a node is probed, and the longest wait for its answer to a probe.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// Largest answer of a node in bytes: a block with its certificate and receipts fits.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A connection to a node, used from ordinary code.
#[derive(Clone)]
pub struct Node {
    runtime: Arc<Runtime>,
    channel: Channel,
    address: String,
    status: NodeStatus,
    caller: Caller,
}

/// Who calls, and in which language errors come back; goes with every request.
#[derive(Clone, Debug)]
pub struct Caller {
    language: &'static str,
    token: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("accept-language", MetadataValue::from_static(self.language));
        if let Some(token) = &self.token {
            metadata.insert(TOKEN_METADATA, token.clone());
        }
        Ok(request)
    }
}

/// A connection that names its caller.
pub type CallerChannel = InterceptedService<Channel, Caller>;

impl Node {
    /// Connects to the first node of the session's context that can serve, and refuses one of
    /// another chain. One that is busy or stopping is passed over like one that is away.
    pub fn connect(session: &Session<'_>) -> Result<Self, CliError> {
        let context = session.context();
        if context.nodes.is_empty() {
            return Err(CliError::user(text!(
                "no address of a node is known",
                "没有可用的节点地址"
            ))
            .hint(text!(
                "give --node http://HOST:PORT, or `cets context set NAME --node http://HOST:PORT`",
                "请使用 --node http://主机:端口，或 `cets context set 名称 --node http://主机:端口`"
            )));
        }
        let certificates = Self::certificates(session)?;
        let mut failures = Vec::new();
        for address in &context.nodes {
            match Self::connect_to(address, certificates.as_deref(), session.lang()) {
                Ok(node) => return node.of_chain(context),
                Err(error) if error.kind() == ErrorKind::Unreachable => failures.push(error),
                Err(error) => return Err(error),
            }
        }
        Err(none_answers(failures, &context.nodes, session.lang()))
    }

    /// The certificate authority of the context, in PEM.
    pub fn certificates(session: &Session<'_>) -> Result<Option<Vec<u8>>, CliError> {
        let Some(path) = &session.context().tls_ca else { return Ok(None) };
        let path = session.home().resolve(path);
        std::fs::read(&path).map(Some).map_err(|error| CliError::file(&path, &error))
    }

    /// Connects to one node and asks for its status.
    pub fn connect_to(
        address: &str,
        certificates: Option<&[u8]>,
        lang: Lang,
    ) -> Result<Self, CliError> {
        let language = match lang {
            Lang::En => "en",
            Lang::Zh => "zh",
        };
        let caller = Caller { language, token: None };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| CliError::bug(text!("no runtime: {error}", "无法启动：{error}")))?;
        let endpoint = endpoint(address, certificates)?;
        let connected = runtime.block_on(async {
            let channel = endpoint.connect().await.map_err(|error| unreachable(address, &error))?;
            let mut client = OperationsClient::new(channel.clone());
            let status = client.get_status(GetStatusRequest {}).await;
            let status = status.map_err(|status| status_failure(address, &status))?.into_inner();
            Ok::<_, CliError>((channel, status))
        });
        let (channel, status) = connected?;
        let address = address.to_owned();
        Ok(Self { runtime: Arc::new(runtime), channel, address, status, caller })
    }

    /// The same connection with a token that says for which account it reads.
    pub fn read_for(self, account: AccountId, key: &SigningKey) -> Result<Self, CliError> {
        let mut token_id = [0u8; 16];
        getrandom::fill(&mut token_id)
            .map_err(|_| key_error("token", KeyFileError::NoRandomness))?;
        let seconds = now()?.as_millis() / 1_000;
        let chain = &self.status.chain_id;
        let account = account.to_string();
        let token = mint(key, &account, chain, seconds, TOKEN_LIFE_SECONDS_MAX, token_id);
        let token = bearer(&token).parse().map_err(|_| self.nonsense("chain id"))?;
        let caller = Caller { token: Some(token), ..self.caller };
        Ok(Self { caller, ..self })
    }

    /// Refuses to send tokens to another machine in clear text: whoever listens could read for
    /// the account until they expire.
    pub fn refuse_to_expose_tokens(&self) -> Result<(), CliError> {
        let address = &self.address;
        if !exposes_tokens(address) {
            return Ok(());
        }
        Err(CliError::user(text!(
            "a token for reading would travel to {address} unencrypted",
            "读取令牌将以明文发送至 {address}"
        ))
        .hint(text!(
            "use https://HOST:PORT with a node that has [api.tls]; inside a network that you \
             trust, write `plaintext = true` into the context",
            "请使用 https://主机:端口（节点需配置 [api.tls]）；在可信网络内可在上下文中写入 \
             `plaintext = true`"
        )))
    }

    fn of_chain(self, context: &Context) -> Result<Self, CliError> {
        let found = self.chain_id()?;
        match context.chain {
            Some(expected) if expected != found => {
                let address = &self.address;
                Err(CliError::user(text!(
                    "node {address} is of chain {found}, the context names {expected}",
                    "节点 {address} 属于链 {found}，而上下文指定的是 {expected}"
                ))
                .hint(text!("choose another node or another context", "请更换节点或上下文")))
            }
            _ => Ok(self),
        }
    }

    /// Chain that the node says it is of.
    pub fn chain_id(&self) -> Result<ChainId, CliError> {
        self.status.chain_id.parse().map_err(|_| self.nonsense("chain id"))
    }

    /// What the node said about itself when the connection was made.
    pub const fn status(&self) -> &NodeStatus {
        &self.status
    }

    /// Where the node is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The connection itself, for streams that run beside ordinary code.
    pub fn channel(&self) -> CallerChannel {
        InterceptedService::new(self.channel.clone(), self.caller.clone())
    }

    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, CliError> {
        match self.runtime.block_on(answer) {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(status_failure(&self.address, &status)),
        }
    }

    /// Waits for anything else that runs on this connection.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The node sent something that is not what the interface says.
    pub fn nonsense(&self, what: &str) -> CliError {
        let address = &self.address;
        CliError::new(
            ErrorKind::Unreachable,
            text!(
                "node {address} sent a {what} that cannot be read",
                "节点 {address} 发来的 {what} 无法解读"
            ),
        )
        .hint(text!(
            "compare `cets --version` with the version in `cets status`",
            "请对照 `cets --version` 与 `cets status` 所示版本"
        ))
    }

    /// Decodes canonical bytes that the node sent.
    pub fn decode<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        bytes: &[u8],
    ) -> Result<T, CliError> {
        cets_contracts::codec::decode(bytes).map_err(|_| self.nonsense(what))
    }
}

/// The failure when no node answers: that of the only one, or one that names all.
pub fn none_answers(failures: Vec<CliError>, nodes: &[String], lang: Lang) -> CliError {
    let addresses = nodes.join(", ");
    match <[CliError; 1]>::try_from(failures) {
        Ok([error]) => error,
        Err(failures) => {
            let reasons = failures.iter().map(|error| error.sentence().get(lang));
            CliError::new(
                ErrorKind::Unreachable,
                text!("none of the nodes answers: {addresses}", "所有节点均无应答：{addresses}"),
            )
            .fact("nodes", nodes)
            .fact("reasons", reasons.collect::<Vec<_>>())
        }
    }
}

/// Whether an address is that of another machine, without encryption.
fn exposes_tokens(address: &str) -> bool {
    let plain = address.strip_prefix("http://").unwrap_or(address);
    if plain.starts_with("https://") {
        return false;
    }
    let authority = plain.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    !loopback && host != "localhost"
}

fn endpoint(address: &str, certificates: Option<&[u8]>) -> Result<Endpoint, CliError> {
    let url =
        if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let wrong = || {
        CliError::usage(text!("`{address}` is no address of a node", "`{address}` 不是节点地址"))
            .hint(text!(
                "write http://HOST:PORT or https://HOST:PORT",
                "请写作 http://主机:端口 或 https://主机:端口"
            ))
    };
    let endpoint = Endpoint::from_shared(url.clone()).map_err(|_| wrong())?;
    // Probes find a node that hangs while an answer is awaited; the wait itself has no end.
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PROBE_INTERVAL)
        .keep_alive_timeout(PROBE_INTERVAL);
    if !url.starts_with("https://") {
        return Ok(endpoint);
    }
    let mut tls = ClientTlsConfig::new();
    if let Some(certificates) = certificates {
        tls = tls.ca_certificate(Certificate::from_pem(certificates));
    }
    endpoint.tls_config(tls).map_err(|error| {
        CliError::user(text!(
            "the TLS authority cannot be used: {error}",
            "TLS 证书机构无法使用：{error}"
        ))
    })
}

fn unreachable(address: &str, error: &tonic::transport::Error) -> CliError {
    let reason = root_cause(error);
    CliError::new(
        ErrorKind::Unreachable,
        text!("node {address} does not answer: {reason}", "节点 {address} 无应答：{reason}"),
    )
    .hint(text!("is the node running, and is the address right?", "节点是否在运行？地址是否正确？"))
    .fact("node", address)
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_unencrypted_within_this_machine_only() {
        for address in [
            "http://127.0.0.1:26660",
            "127.9.9.9:1",
            "http://[::1]:26660/",
            "http://localhost:1",
            "https://registry.example:26660",
        ] {
            assert!(!exposes_tokens(address), "{address}");
        }
        for address in [
            "http://192.0.2.1:26660",
            "registry:26660",
            "http://[2001:db8::1]:26660",
            "http://localhost.example:1",
            "http://127.0.0.1.example:1",
        ] {
            assert!(exposes_tokens(address), "{address}");
        }
    }
}
