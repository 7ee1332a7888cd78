//! One supervised connection to one server.
//!
//! A link is connected, or being connected for the first time since it was, or known to be
//! down; callers wait only for the second, and never beyond their deadline. A connection that
//! does not answer is given up by its number, so that no late reply is ever read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Failure;
use super::connect::{Place, connect};
use super::line::Line;
use super::request::{Reply, Request};
use super::settings::Settings;

/// An attempt to connect may take so long. One may be lost, and the next is to be soon.
const ATTEMPT: Duration = Duration::from_millis(600);
/// The second attempt begins so long after the first, if that has failed by then. It doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);
/// Silence for so long is a connection's end, whatever deadline the caller had.
const SILENCE: Duration = Duration::from_millis(100);

/// A server, and the connection to it that there is or will be.
pub(super) struct Link {
    place: Place,
    state: Line<State>,
}

#[derive(Clone)]
enum State {
    /// Not tried yet, or lost a moment ago.
    Connecting,
    Up(Connected),
    Down(Arc<str>),
}

#[derive(Clone)]
struct Connected {
    connection: MultiplexedConnection,
    number: u64,
    /// How far the server's clock is ahead of ours, in ticks.
    ahead: i64,
    /// When it last answered, in microseconds since it was made.
    heard: Arc<AtomicU64>,
    since: Instant,
}

impl Connected {
    fn hear(&self) {
        let now = self.since.elapsed().as_micros();
        self.heard
            .store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
    }

    /// Since when it has owed an answer, if it owes one to what was sent at `sent_at`.
    fn silent_since(&self, sent_at: Instant) -> Instant {
        let heard = Duration::from_micros(self.heard.load(Relaxed));
        sent_at.max(self.since + heard)
    }

    async fn send(mut self, pipeline: Pipeline) -> RedisResult<Vec<Value>> {
        let length = pipeline.len();
        self.connection
            .send_packed_commands(&pipeline, 0, length)
            .await
    }
}

impl Link {
    /// A link that connects at once, on the runtime this is called in. It ends when dropped.
    pub(super) fn new(settings: Arc<Settings>, place: Place) -> Arc<Self> {
        let link = Arc::new(Self {
            place: place.clone(),
            state: Line::new(State::Connecting),
        });
        tokio::spawn(supervise(Arc::downgrade(&link), settings, place));
        link
    }

    /// The server's host; empty for a server that has no address of its own.
    pub(super) fn host(&self) -> &str {
        match &self.place {
            Place::Node((host, _)) => host,
            Place::Unix(_) | Place::Primary => "",
        }
    }

    /// Run calls, all in one round trip. A reply may be the server's error.
    pub(super) async fn run(
        self: &Arc<Self>,
        calls: &[&impl Request],
        asking: bool,
        deadline: Instant,
    ) -> Vec<Reply> {
        let mut replies = self.exchange(calls, asking, false, deadline).await;
        let unknown = |reply: &Reply| matches!(reply, Ok(Value::ServerError(e)) if e.kind() == Some(ServerErrorKind::NoScript));
        let again: Vec<usize> = (0..calls.len()).filter(|&i| unknown(&replies[i])).collect();
        if !again.is_empty() {
            // These have done nothing; the others are not to be repeated.
            let same: Vec<_> = again.iter().map(|&index| calls[index]).collect();
            let texts = self.exchange(&same, asking, true, deadline).await;
            for (index, reply) in again.into_iter().zip(texts) {
                replies[index] = reply;
            }
        }
        replies
    }

    async fn exchange(
        self: &Arc<Self>,
        calls: &[&impl Request],
        asking: bool,
        by_text: bool,
        deadline: Instant,
    ) -> Vec<Reply> {
        let sent = async {
            let connected = self.connected(deadline).await?;
            let mut pipeline = Pipeline::with_capacity(calls.len());
            for call in calls {
                if asking {
                    pipeline.cmd("ASKING");
                }
                pipeline.add_command(call.command(by_text, connected.ahead));
            }
            self.send_over(connected, pipeline, deadline).await
        };
        let step = 1 + usize::from(asking);
        match sent.await {
            Ok(values) => values
                .into_iter()
                .skip(step - 1)
                .step_by(step)
                .map(Ok)
                .collect(),
            Err(failure) => vec![Err(failure); calls.len()],
        }
    }

    /// Send a pipeline as soon as there is a connection, and await its replies.
    pub(super) async fn send(
        self: &Arc<Self>,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let connected = self.connected(deadline).await?;
        self.send_over(connected, pipeline, deadline).await
    }

    async fn send_over(
        self: &Arc<Self>,
        connected: Connected,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let sent_at = Instant::now();
        let mut sent = Box::pin(connected.clone().send(pipeline));
        if let Ok(replies) = timeout_at(deadline, &mut sent).await {
            return self.take(&connected, replies);
        }
        // The caller waits no more. Whether the connection is at its end shows when it has had
        // its time, however short the caller's was.
        let link = Arc::downgrade(self);
        tokio::spawn(async move {
            let late = timeout_at(sent_at + SILENCE, sent).await;
            let Some(link) = link.upgrade() else { return };
            if let Ok(replies) = late {
                let _nobodys = link.take(&connected, replies);
            } else if connected.silent_since(sent_at).elapsed() >= SILENCE {
                link.give_up(connected.number, Some("it does not answer"));
            }
        });
        Err(Failure::Timeout)
    }

    fn take(
        &self,
        connected: &Connected,
        replies: RedisResult<Vec<Value>>,
    ) -> Result<Vec<Value>, Failure> {
        match replies {
            Ok(values) => {
                connected.hear();
                if values.iter().any(is_of_no_use) {
                    self.give_up(connected.number, None);
                }
                Ok(values)
            }
            Err(error) => {
                self.give_up(connected.number, None);
                Err(Failure::Down(told(&error)))
            }
        }
    }

    async fn connected(&self, deadline: Instant) -> Result<Connected, Failure> {
        let settled = |state: &State| !matches!(state, State::Connecting);
        let silent = || State::Down("it does not answer".into());
        match self.state.wait(settled, deadline, silent).await {
            Some(State::Up(connected)) => Ok(connected),
            Some(State::Down(why)) => Err(Failure::Down(why.to_string())),
            Some(State::Connecting) | None => Err(Failure::Timeout),
        }
    }

    /// End the connection of that number, if it is still the one in use.
    fn give_up(&self, number: u64, down: Option<&str>) {
        self.state.change(|state| {
            let ours = matches!(state, State::Up(connected) if connected.number == number);
            if ours {
                *state = down.map_or(State::Connecting, |why| State::Down(why.into()));
            }
            ours
        });
    }
}

/// Errors of a server that has become the wrong one.
fn is_of_no_use(reply: &Value) -> bool {
    let kind = match reply {
        Value::ServerError(error) => error.kind(),
        _ => None,
    };
    matches!(
        kind,
        Some(ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading)
    )
}

async fn supervise(link: Weak<Link>, settings: Arc<Settings>, place: Place) {
    let mut pause = SHORTEST_PAUSE;
    let mut number = 0;
    loop {
        // Dropped while it paused.
        if link.strong_count() == 0 {
            return;
        }
        number += 1;
        let begun = Instant::now();
        let ended = link.clone();
        let lost = move || {
            if let Some(link) = ended.upgrade() {
                link.give_up(number, None);
            }
        };
        let attempt = timeout(ATTEMPT, connect(&settings, &place, lost)).await;
        let Some(strong) = link.upgrade() else { return };
        match attempt {
            Ok(Ok((connection, ahead))) => {
                pause = SHORTEST_PAUSE;
                strong.state.set(State::Up(Connected {
                    connection,
                    number,
                    ahead,
                    heard: Arc::default(),
                    since: Instant::now(),
                }));
                let mut state = strong.state.subscribe();
                drop(strong);
                // Ends with an error when the link is dropped.
                if state
                    .wait_for(|state| !matches!(state, State::Up(_)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            failed => {
                let why = match failed {
                    Ok(Err(error)) => told(&error),
                    _ => "it does not answer".to_owned(),
                };
                strong.state.set(State::Down(why.into()));
                drop(strong);
                sleep_until(begun + pause).await;
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
        }
    }
}

/// What an error says. It names addresses and causes, never a password.
fn told(error: &RedisError) -> String {
    error.to_string()
}
