//! One supervised connection to one server.
//!
//! A link is connected, or being connected for the first time since it was, or known to be
//! down; callers wait only for the second, and never beyond their deadline. A connection that
//! does not answer is given up by its number, so that no late reply is ever read.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use redis::{Pipeline, ServerErrorKind, Value};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::Failure;
use super::connect::Place;
use super::connection::Connection;
use super::line::Line;
use super::meaning::is_of_no_use;
use super::request::{Request, Said};
use super::settings::{Settings, Topology};
use super::supervise::{supervise, told};

/// A server, and the connection to it that there is or will be.
pub(super) struct Link {
    place: Place,
    topology: Topology,
    pub(super) state: Line<State>,
}

#[derive(Clone)]
pub(super) enum State {
    /// Not tried yet, or lost a moment ago.
    Connecting,
    Up(Arc<Connection>),
    Down(Arc<str>),
}

/// Why a pipeline has no replies.
enum Lost {
    /// Nothing of it was written: it can be sent again.
    Unwritten(Failure),
    /// It may have been executed.
    Written(Failure),
}

impl Link {
    /// A link that connects at once, on the runtime this is called in. It ends when dropped.
    pub(super) fn new(settings: Arc<Settings>, place: Place) -> Arc<Self> {
        let link = Arc::new(Self {
            place: place.clone(),
            topology: settings.topology,
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

    /// Run requests, all in one round trip. A reply may be the server's error.
    pub(super) async fn run(
        self: &Arc<Self>,
        requests: &[&Request],
        asking: bool,
        deadline: Instant,
    ) -> Vec<Said> {
        let mut replies = self.exchange(requests, asking, false, deadline).await;
        let unknown = |reply: &Said| matches!(reply, Ok(Value::ServerError(e)) if e.kind() == Some(ServerErrorKind::NoScript));
        let again: Vec<usize> = (0..requests.len())
            .filter(|&i| unknown(&replies[i]))
            .collect();
        if !again.is_empty() {
            // These have done nothing; the others are not to be repeated.
            let same: Vec<_> = again.iter().map(|&index| requests[index]).collect();
            let texts = self.exchange(&same, asking, true, deadline).await;
            for (index, reply) in again.into_iter().zip(texts) {
                replies[index] = reply;
            }
        }
        replies
    }

    async fn exchange(
        self: &Arc<Self>,
        requests: &[&Request],
        asking: bool,
        by_text: bool,
        deadline: Instant,
    ) -> Vec<Said> {
        let pipeline = || {
            let mut pipeline = Pipeline::with_capacity(requests.len());
            for request in requests {
                if asking {
                    pipeline.cmd("ASKING");
                }
                pipeline.add_command(request.work.command(by_text));
            }
            pipeline
        };
        let step = 1 + usize::from(asking);
        match self.send(pipeline, deadline).await {
            Ok(values) => values
                .into_iter()
                .skip(step - 1)
                .step_by(step)
                .map(Ok)
                .collect(),
            Err(failure) => vec![Err(failure); requests.len()],
        }
    }

    /// Send a pipeline as soon as there is a connection, and await its replies. If the connection
    /// is lost before anything was written, the next is tried, and that one alone.
    pub(super) async fn send(
        self: &Arc<Self>,
        pipeline: impl Fn() -> Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut is_last = false;
        loop {
            let connection = self.connected(deadline).await?;
            match self.send_over(connection, pipeline(), deadline).await {
                Ok(values) => return Ok(values),
                Err(Lost::Unwritten(_)) if !is_last => is_last = true,
                Err(Lost::Unwritten(failure) | Lost::Written(failure)) => return Err(failure),
            }
        }
    }

    async fn send_over(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, Lost> {
        let sent_at = Instant::now();
        let written = connection.written();
        let mut sent = Box::pin(Arc::clone(&connection).send(pipeline));
        match by(deadline, &mut sent).await {
            Some(Ok(values)) => {
                self.take(&connection, &values);
                return Ok(values);
            }
            Some(Err(error)) => {
                self.give_up(connection.number, None);
                let failure = Failure::Down(told(&error));
                return Err(if connection.written() == written {
                    Lost::Unwritten(failure)
                } else {
                    Lost::Written(failure)
                });
            }
            None => {}
        }
        // The caller waits no more. Whether the connection is at its end shows when it has had
        // its time, however short the caller's was.
        let link = Arc::downgrade(self);
        tokio::spawn(async move {
            let late = by(sent_at + connection.patience, &mut sent).await;
            let Some(link) = link.upgrade() else { return };
            match late {
                Some(Ok(values)) => link.take(&connection, &values),
                Some(Err(_)) => link.give_up(connection.number, None),
                None if connection.is_silent(sent_at) => {
                    link.give_up(connection.number, Some("it does not answer"));
                }
                None => {}
            }
        });
        Err(Lost::Written(Failure::Timeout))
    }

    /// Learn from replies.
    fn take(&self, connection: &Connection, values: &[Value]) {
        connection.hear();
        let useless = |value| is_of_no_use(value, self.topology);
        if let Some(why) = values.iter().find_map(useless) {
            self.give_up(connection.number, Some(why));
        }
    }

    async fn connected(&self, deadline: Instant) -> Result<Arc<Connection>, Failure> {
        let settled = |state: &State| !matches!(state, State::Connecting);
        let silent = || State::Down("it does not answer".into());
        match self.state.wait(settled, deadline, silent).await {
            Some(State::Up(connection)) => Ok(connection),
            Some(State::Down(why)) => Err(Failure::Down(why.to_string())),
            Some(State::Connecting) | None => Err(Failure::Timeout),
        }
    }

    /// End the connection of that number, if it is still the one in use. The next is waited for,
    /// unless the server is `down`.
    pub(super) fn give_up(&self, number: u64, down: Option<&str>) {
        self.state.change(|state| {
            let ours = matches!(state, State::Up(connection) if connection.number == number);
            if ours {
                *state = down.map_or(State::Connecting, |why| State::Down(why.into()));
            }
            ours
        });
    }

    /// Let nobody wait for a connection now.
    pub(super) fn set_down(&self, why: &str) {
        self.state.change(|state| {
            let waits = matches!(state, State::Connecting);
            if waits {
                *state = State::Down(why.into());
            }
            waits
        });
    }

    /// Whether it becomes known by `deadline` that there is a connection, or none.
    pub(super) async fn is_settled(&self, deadline: Instant) -> bool {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Connecting));
        timeout_at(deadline, settled).await.is_ok()
    }

    /// Whether a connection is being made, for the first time since there was one.
    pub(super) fn is_connecting(&self) -> bool {
        matches!(*self.state.subscribe().borrow(), State::Connecting)
    }
}

/// What a future comes to by the deadline. This thread may have been asleep at it: then what had
/// arrived by then is read first.
async fn by<F: Future + Unpin>(deadline: Instant, future: &mut F) -> Option<F::Output> {
    if let Ok(done) = timeout_at(deadline, &mut *future).await {
        return Some(done);
    }
    yield_now().await;
    future.now_or_never()
}
