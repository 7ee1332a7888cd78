//! Making one connection: address, encryption, login.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, RedisConnectionInfo, RedisResult, Value, cmd,
    from_redis_value,
};
use tokio::time::{Instant, timeout};

use super::address::{Address, Node};
use super::notices::notice;
use super::session::{Driver, Session};
use super::settings::{Settings, Topology};
use super::stream::open;
use crate::store::fork::locked_now;
use crate::store::redis::script;

/// Commands that one connection may have on their way.
const PIPELINES: usize = 4_096;
/// A sentinel is given so long, which is several round trips around the world.
const SENTINEL_WITHIN: Duration = Duration::from_secs(3);

/// Connect to `address` and log in; `lost` is told when the connection has ended. `number` is what
/// the connection is known by.
pub(super) async fn connect(
    settings: &Settings,
    address: &Address,
    number: u64,
    lost: impl Fn() + Send + Sync + 'static,
) -> RedisResult<Session> {
    let address = match address {
        Address::Primary => &Address::Node(primary(settings).await?),
        address => address,
    };
    let mut login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    if settings.topology != Topology::Cluster {
        login = login.set_db(settings.db.into());
    }
    let user = (settings.username.as_deref(), settings.password.as_deref());
    let login = with_user(login, user);
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None) // the callers have limits of their own
        .set_pipeline_buffer_size(PIPELINES)
        .set_push_sender(move |push: redis::PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                lost();
            }
            Ok::<(), ()>(())
        });
    let (stream, written) = open(address, settings.tls.as_ref()).await?;
    let begun = Instant::now();
    let (mut requests, driver) =
        MultiplexedConnection::new_with_config(&login, stream, config).await?;
    let driver = Driver::new(driver);
    let logged_in = Instant::now();
    introduce(settings, address, &mut requests).await?;
    // Both take one; a server that was busy held up one of them.
    let round_trip = logged_in.elapsed().min(logged_in - begun);
    Ok(Session::new(requests, driver, written, number, round_trip))
}

/// All that is said and asked on a new connection, in one round trip.
async fn introduce(
    settings: &Settings,
    address: &Address,
    connection: &mut MultiplexedConnection,
) -> RedisResult<()> {
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
    // A call whose script the server does not know is sent again, and others overtake it. The
    // user may not be allowed to load scripts: these replies are left unread.
    script::load_all(&mut pipeline);
    let sent = connection.send_packed_commands(&pipeline, 0, pipeline.len());
    let mut replies = sent.await?.into_iter();
    let mut reply = || replies.next().unwrap_or(Value::Nil);
    reply().extract_error()?;
    let memory = reply();
    if settings.topology == Topology::Sentinel {
        check_primary(&reply())?;
    }
    if settings.client_name.is_some() {
        reply().extract_error()?;
    }
    look_at_memory(memory, address);
    Ok(())
}

/// Servers whose eviction was told of.
static EVICTING: Mutex<Vec<Address>> = Mutex::new(Vec::new());

/// A server that evicts keys forgets limits: worth a notice. A user may not be allowed to ask.
fn look_at_memory(info: Value, address: &Address) {
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
    if !told.contains(address) {
        told.push(address.clone());
        notice(format!(
            "The Redis server at {address} may evict keys (maxmemory-policy is {policy}), and with \
             them what clients have spent; set it to noeviction."
        ));
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
    let asked = async {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (stream, _) = open(&Address::Node(node.clone()), settings.tls.as_ref()).await?;
        let (mut requests, driver) =
            MultiplexedConnection::new_with_config(&login, stream, config).await?;
        let _driver = Driver::new(driver);
        let mut command = cmd("SENTINEL");
        command.arg("get-master-addr-by-name").arg(service);
        let reply: Option<Node> = command.query_async(&mut requests).await?;
        reply.ok_or_else(|| unknown("the sentinels do not know the service"))
    };
    timeout(SENTINEL_WITHIN, asked)
        .await
        .unwrap_or_else(|_| Err(unknown("a sentinel does not answer")))
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
