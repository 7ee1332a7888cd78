//! Making one connection: address, encryption, login.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, Pipeline,
    ProtocolVersion, RedisConnectionInfo, RedisResult, TlsCertificates, Value, cmd,
    from_redis_value,
};

use super::notices::notice;
use super::settings::{Settings, Topology};
use crate::clock::unix_now;
use crate::store::fork::locked_now;

/// Commands that one connection may have on their way.
const PIPELINES: usize = 4_096;

/// Host and port.
pub(super) type Node = (String, u16);

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// This server.
    Node(Node),
    /// A socket of this machine.
    Unix(String),
    /// Whatever server the sentinels name.
    Primary,
}

/// Connect to `place` and log in; `lost` is told when the connection has ended.
///
/// Also says how far the server's clock is ahead of ours, in ticks.
pub(super) async fn connect(
    settings: &Settings,
    place: &Place,
    lost: impl Fn() + Send + Sync + 'static,
) -> RedisResult<(MultiplexedConnection, i64)> {
    let place = match place {
        Place::Primary => &Place::Node(primary(settings).await?),
        place => place,
    };
    let mut login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    if settings.topology != Topology::Cluster {
        login = login.set_db(settings.db.into());
    }
    let user = (settings.username.as_deref(), settings.password.as_deref());
    let client = client(settings, place, with_user(login, user))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None) // the caller has a limit of its own
        .set_response_timeout(None)
        .set_pipeline_buffer_size(PIPELINES)
        .set_push_sender(move |push: redis::PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                lost();
            }
            Ok::<(), ()>(())
        });
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let ahead = introduce(settings, place, &mut connection).await?;
    Ok((connection, ahead))
}

/// All that is said and asked on a new connection, in one round trip.
async fn introduce(
    settings: &Settings,
    place: &Place,
    connection: &mut MultiplexedConnection,
) -> RedisResult<i64> {
    let mut pipeline = Pipeline::new();
    // A server that is still loading, or paused, is not there yet. TIME itself is answered by
    // one that is paused for writes, a script is not.
    pipeline.cmd("EVAL").arg("return redis.call('TIME')").arg(0);
    pipeline.cmd("INFO").arg("memory");
    if settings.topology == Topology::Sentinel {
        pipeline.cmd("ROLE");
    }
    if let Some(name) = &settings.client_name {
        pipeline.cmd("CLIENT").arg("SETNAME").arg(name);
    }
    let sent = connection.send_packed_commands(&pipeline, 0, pipeline.len());
    let mut replies = sent.await?.into_iter();
    let mut reply = || replies.next().unwrap_or(Value::Nil);
    let (seconds, micros): (i64, i64) = from_redis_value(reply().extract_error()?)?;
    let ahead = (seconds * 1_000_000 + micros).saturating_sub_unsigned(unix_now());
    let memory = reply();
    if settings.topology == Topology::Sentinel {
        check_primary(&reply())?;
    }
    if settings.client_name.is_some() {
        reply().extract_error()?;
    }
    look_at_memory(memory, place);
    Ok(ahead)
}

/// Servers whose eviction was told of.
static EVICTING: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// A server that evicts keys forgets limits: worth a notice. A user may not be allowed to ask.
fn look_at_memory(info: Value, place: &Place) {
    let Ok(text) = from_redis_value::<String>(info) else {
        return;
    };
    let policy = text
        .lines()
        .find_map(|line| line.strip_prefix("maxmemory_policy:"));
    let Some(policy) = policy
        .map(str::trim)
        .filter(|policy| *policy != "noeviction")
    else {
        return;
    };
    let mut told = locked_now(&EVICTING);
    if !told.contains(place) {
        told.push(place.clone());
        notice(format!(
            "The Redis server at {place} may evict keys (maxmemory-policy is {policy}), and with \
             them what clients have spent; set it to noeviction."
        ));
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node((host, port)) => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
            Self::Primary => f.write_str("the sentinels' primary"),
        }
    }
}

fn with_user(
    login: RedisConnectionInfo,
    (user, password): (Option<&str>, Option<&str>),
) -> RedisConnectionInfo {
    let login = match user {
        Some(user) => login.set_username(user),
        None => login,
    };
    match password {
        Some(password) => login.set_password(password),
        None => login,
    }
}

fn client(settings: &Settings, place: &Place, login: RedisConnectionInfo) -> RedisResult<Client> {
    let address = match place {
        Place::Unix(path) => ConnectionAddr::Unix(path.into()),
        Place::Node((host, port)) => match &settings.tls {
            None => ConnectionAddr::Tcp(host.clone(), *port),
            Some(tls) => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: tls.insecure,
                tls_params: None,
            },
        },
        Place::Primary => unreachable!("resolved before"),
    };
    let info = address.into_connection_info()?.set_redis_settings(login);
    match &settings.tls {
        Some(tls) if tls.authority.is_some() || tls.client.is_some() => {
            let client_tls = tls
                .client
                .clone()
                .map(|(client_cert, client_key)| ClientTlsConfig {
                    client_cert,
                    client_key,
                });
            let root_cert = tls.authority.clone();
            Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls,
                    root_cert,
                },
            )
        }
        _ => Client::open(info),
    }
}

/// What the first sentinel says that knows: any of them may be gone, or hang.
async fn primary(settings: &Settings) -> RedisResult<Node> {
    let asked = settings
        .nodes
        .iter()
        .map(|node| ask_sentinel(settings, node));
    let mut answers: FuturesUnordered<_> = asked.collect();
    let mut last = Err(unknown("no sentinel is named"));
    while let Some(answer) = answers.next().await {
        last = answer;
        if last.is_ok() {
            break;
        }
    }
    last
}

async fn ask_sentinel(settings: &Settings, node: &Node) -> RedisResult<Node> {
    let (user, password) = &settings.sentinel_login;
    let user = (user.as_deref(), password.as_deref());
    let service = settings.service.as_deref().unwrap_or_default();
    let login = with_user(RedisConnectionInfo::default(), user);
    let client = client(settings, &Place::Node(node.clone()), login)?;
    let patience = Duration::from_millis(300);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        .set_response_timeout(Some(patience));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let mut command = cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(service);
    let reply: Option<(String, u16)> = command.query_async(&mut connection).await?;
    reply.ok_or_else(|| unknown("the sentinels do not know the service"))
}

/// Sentinels may still name a primary that has become a replica.
fn check_primary(role: &Value) -> RedisResult<()> {
    match role {
        Value::Array(items) if items.first() == Some(&Value::BulkString(b"master".to_vec())) => {
            Ok(())
        }
        _ => Err(unknown("the sentinels name a server that is no primary")),
    }
}

fn unknown(what: &'static str) -> redis::RedisError {
    redis::RedisError::from((redis::ErrorKind::Client, what))
}
