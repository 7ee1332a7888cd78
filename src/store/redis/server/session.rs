//! One session with one server, from its login to its end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult, Value};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::stream::Written;

/// Silence for so long is a connection's end, whatever deadline the caller had.
const SILENCE: Duration = Duration::from_millis(100);
/// A server that is far away is given this many round trips instead.
const ROUND_TRIPS: u32 = 3;
const LONGEST_SILENCE: Duration = Duration::from_secs(2);

/// A connection that is logged in.
pub(super) struct Session {
    requests: MultiplexedConnection,
    _driver: Driver,
    written: Written,
    pub(super) number: u64,
    /// So long it may be silent.
    pub(super) patience: Duration,
    since: Instant,
    /// When it last answered, in microseconds since it was made; 0 if it has not.
    heard: AtomicU64,
}

impl Session {
    pub(super) fn new(
        requests: MultiplexedConnection,
        driver: Driver,
        written: Written,
        number: u64,
        round_trip: Duration,
    ) -> Self {
        Self {
            requests,
            _driver: driver,
            written,
            number,
            patience: (ROUND_TRIPS * round_trip).clamp(SILENCE, LONGEST_SILENCE),
            since: Instant::now(),
            heard: AtomicU64::new(0),
        }
    }

    /// Send a pipeline; its replies.
    pub(super) async fn send(self: Arc<Self>, pipeline: Pipeline) -> RedisResult<Vec<Value>> {
        let length = pipeline.len();
        let mut requests = self.requests.clone();
        requests.send_packed_commands(&pipeline, 0, length).await
    }

    /// How much was ever written. As long as that stays the same, nothing was sent.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// It has answered.
    pub(super) fn hear(&self) {
        let now = self.since.elapsed().as_micros().max(1);
        self.heard
            .store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
    }

    /// Whether it has answered since it was introduced.
    pub(super) fn was_heard(&self) -> bool {
        self.heard.load(Relaxed) > 0
    }

    /// Whether it owes an answer to what was sent at `sent_at`, and has been silent for too long.
    pub(super) fn is_silent(&self, sent_at: Instant) -> bool {
        let heard = self.since + Duration::from_micros(self.heard.load(Relaxed));
        sent_at.max(heard).elapsed() >= self.patience
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

/// Reads and writes; ends when dropped, and the socket closes.
pub(super) struct Driver(JoinHandle<()>);

impl Driver {
    pub(super) fn new(driver: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(driver))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
