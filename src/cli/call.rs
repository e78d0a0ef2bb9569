//! `mcpload call`: one client, a few operations, and everything that can be seen of them.
//!
//! It is the client that makes load, so what fails in a scenario fails here in the same way. Next: [`ask`] reads what is to be
//! asked, [`wire`] shows what was sent and what came.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;

use super::exit::Exit;
use super::out;
use crate::load::single::{self, Done, Errand};
use crate::mcp::capabilities::Capabilities;
use crate::model::Share;
use crate::plan::{
    AuthPlan, ConnectionPlan, CredentialsPlan, Dialect, HeaderValue, HttpVersion, RecoveryPlan,
    Secret, TlsPlan, Transport, WorkloadPlan,
};

mod ask;
mod wire;

const EXAMPLES: &str = "Examples:
  mcpload call http://127.0.0.1:8000/mcp
  mcpload call http://127.0.0.1:8000/mcp echo text=hello
  mcpload call http://127.0.0.1:8000/mcp --protocol 2025-11-25 tools/list + echo '{\"text\": \"hello\"}'
  mcpload call http://127.0.0.1:8000/sse --transport sse resources/read uri=mem://resource/001
  mcpload call 'stdio:python3 server.py' echo text=hello

What is asked is a tool's name or a method (tools/list, resources/read, prompts/get, completion/complete, ping, …), with arguments as
one JSON object or as NAME=VALUE; several are asked in one session, with + between them. Nothing asked: the tools are listed.

Exit codes: 0 every operation ended ok · 2 wrong usage · 3 the server cannot be reached or gives no session · 4 an operation did not end ok";

/// What to call, and how.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
#[command(after_help = EXAMPLES)]
pub(super) struct CallArgs {
    /// The server: a URL (http, https, ws, wss), or `stdio:PROGRAM ARGUMENT…` for one that is started.
    url: String,
    /// What to ask: OPERATION [NAME=VALUE… | JSON] [+ OPERATION …].
    #[arg(value_name = "OPERATION", trailing_var_arg = true)]
    words: Vec<String>,
    /// What the client speaks: a version, or `auto` for what the server speaks.
    #[arg(long, default_value = "auto", value_name = "VERSION")]
    protocol: Dialect,
    /// How messages travel.
    #[arg(long, default_value = "streamable-http")]
    transport: TransportName,
    /// The version of HTTP.
    #[arg(long, default_value = "1.1", value_parser = ["1.1", "2"])]
    http: String,
    /// A further request header. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The header that names the instance that answered.
    #[arg(long, value_name = "NAME", default_value = "mcpload-instance")]
    served_by: String,
    #[command(flatten)]
    proof: ProofArgs,
    /// How long an answer may take.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// What the client does about lost sessions and cut streams.
    #[arg(long, default_value = "spec", value_name = "POLICY", value_parser = ["spec", "lenient", "never", "sdk-python", "rmcp"])]
    recovery: String,
    /// Ask for progress notifications.
    #[arg(long)]
    progress: bool,
    /// Follow the cursors of lists over so many pages.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pages: u32,
    /// Give calls up after this time.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    cancel_after: Option<Duration>,
    /// Accept what the server asks of its user, with the defaults that it gives.
    #[arg(long)]
    accept_elicitation: bool,
    /// Keep a stream of the server's messages open.
    #[arg(long)]
    listen: bool,
    /// Stay connected for this time after the last operation.
    #[arg(long, default_value = "0s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    linger: Duration,
    /// Show only what each operation came to.
    #[arg(long, short)]
    quiet: bool,
}

/// How the client proves who it is, and whom it trusts.
#[derive(Debug, Args)]
struct ProofArgs {
    /// The environment variable that holds the bearer token.
    #[arg(long, value_name = "VARIABLE")]
    bearer_env: Option<String>,
    /// The client id for OAuth client credentials.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The environment variable that holds the client's secret.
    #[arg(long, value_name = "VARIABLE", requires = "client_id")]
    client_secret_env: Option<String>,
    /// The environment variable that holds the client's private key, PEM.
    #[arg(long, value_name = "VARIABLE", requires = "client_id")]
    private_key_env: Option<String>,
    /// The algorithm of that key.
    #[arg(long, value_name = "NAME", requires = "private_key_env")]
    algorithm: Option<String>,
    /// The scopes to ask for.
    #[arg(long, requires = "client_id")]
    scope: Option<String>,
    /// A PEM file with the authorities to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take any certificate.
    #[arg(long)]
    insecure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum TransportName {
    StreamableHttp,
    Sse,
    Websocket,
}

/// Calls.
pub(super) fn call(args: &CallArgs) -> Exit {
    let errand = match errand(args) {
        Ok(errand) => errand,
        Err(message) => {
            out::say(&format!("error: {message}"));
            return Exit::Usage;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            out::error(&error);
            return Exit::Internal;
        }
    };
    let failed = Rc::new(Cell::new(0));
    let tap = wire::Wire::new(!args.quiet, &args.url, Rc::clone(&failed));
    let local = tokio::task::LocalSet::new();
    match local.block_on(&runtime, single::run(errand, Box::new(tap))) {
        Err(error) => {
            out::error(&error);
            Exit::Usage
        }
        Ok(Done::NotReady(cause)) => {
            out::say(&format!("error: no session: {cause}"));
            Exit::NotReady
        }
        Ok(Done::All) if failed.get() > 0 => Exit::Objective,
        Ok(Done::All) => Exit::Pass,
    }
}

fn errand(args: &CallArgs) -> Result<Errand, String> {
    let operations = ask::operations(args)?;
    let mut headers = BTreeMap::new();
    for header in &args.headers {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| format!("--header {header:?}: expected NAME: VALUE"))?;
        let value = HeaderValue::Plain(value.trim().to_owned());
        headers.insert(name.trim().to_ascii_lowercase(), value);
    }
    let command = ask::program(&args.url);
    let is_socket = args.url.starts_with("ws://") || args.url.starts_with("wss://");
    let transport = match args.transport {
        _ if !command.is_empty() => Transport::Stdio,
        TransportName::StreamableHttp if is_socket => Transport::Websocket,
        TransportName::StreamableHttp => Transport::StreamableHttp,
        TransportName::Sse => Transport::Sse,
        TransportName::Websocket => Transport::Websocket,
    };
    let workload = WorkloadPlan {
        protocols: vec![(args.protocol, 1)],
        transport,
        connections: ConnectionPlan {
            http: if args.http == "2" {
                HttpVersion::Http2
            } else {
                HttpVersion::Http1
            },
            ..ConnectionPlan::default()
        },
        recovery: RecoveryPlan::preset(&args.recovery),
        listen: if args.listen { Share::ONE } else { Share::ZERO },
        headers,
        auth: args.proof.auth(),
        ..WorkloadPlan::new("call", 1, operations)
    };
    Ok(Errand {
        url: args.url.clone(),
        command,
        tls: TlsPlan {
            ca: args
                .proof
                .ca
                .as_ref()
                .map(|path| path.display().to_string()),
            insecure: args.proof.insecure,
        },
        served_by: Some(args.served_by.clone()),
        workload,
        capabilities: Capabilities {
            elicitation: args.accept_elicitation,
        },
        linger: args.linger,
    })
}

impl ProofArgs {
    fn auth(&self) -> AuthPlan {
        let secret = |name: &Option<String>| name.clone().map(Secret::Env);
        match (&self.client_id, &self.bearer_env) {
            (Some(client_id), _) => AuthPlan::ClientCredentials(CredentialsPlan {
                client_id: client_id.clone(),
                secret: secret(&self.client_secret_env),
                private_key: secret(&self.private_key_env),
                algorithm: self.algorithm.clone(),
                scope: self.scope.clone(),
                token_url: None,
                authentication: None,
            }),
            (None, Some(name)) => AuthPlan::Bearers(vec![Secret::Env(name.clone())]),
            (None, None) => AuthPlan::None,
        }
    }
}
