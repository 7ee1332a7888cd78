//! One supervised connection to one server.
//!
//! A connection is up, or being connected for the first time since it was, or known to be
//! down; callers wait only for the second, and never beyond their deadline. A connection that
//! does not answer is given up by its number, so that no late reply is ever read.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use redis::{Pipeline, ServerErrorKind, Value};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::meaning::is_of_no_use;
use super::ordered_watch::OrderedWatch;
use super::session::Session;
use super::settings::{Settings, Topology};
use super::state::State;
use super::supervise::supervise;
use crate::store::redis::answer::Failure;
use crate::store::redis::request::{Request, Said};

/// A call whose script was not known may then be told that its bounds are wrong, once if the server's
/// clock does not leap.
const MOST_REPAIRS: usize = 2;

/// A server, and the connection to it that there is or will be.
pub(super) struct Connection {
    address: Address,
    topology: Topology,
    state: Arc<OrderedWatch<State>>,
}

/// Why a pipeline has no replies.
enum Lost {
    /// Nothing of it was written: it can be sent again.
    Unwritten(Failure),
    /// It may have been executed.
    Written(Failure),
}

impl Connection {
    /// It connects at once, on the runtime this is called in. It ends when dropped.
    pub(super) fn new(settings: Arc<Settings>, address: Address) -> Arc<Self> {
        let state = Arc::new(OrderedWatch::new(State::Connecting));
        let connection = Arc::new(Self {
            address: address.clone(),
            topology: settings.topology,
            state: Arc::clone(&state),
        });
        tokio::spawn(supervise(Arc::downgrade(&state), settings, address));
        connection
    }

    /// The server's host; empty for a server that has no address of its own.
    pub(super) fn host(&self) -> &str {
        match &self.address {
            Address::Node((host, _)) => host,
            Address::Unix(_) | Address::Primary => "",
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
        let is_unknown = |reply: &Said| matches!(reply, Ok(Value::ServerError(e)) if e.kind() == Some(ServerErrorKind::NoScript));
        for _ in 0..MOST_REPAIRS {
            let did_nothing = |&i: &usize| match &replies[i] {
                Ok(reply) => is_unknown(&replies[i]) || requests[i].work.is_put_right(reply),
                Err(_) => false,
            };
            let again: Vec<usize> = (0..requests.len()).filter(did_nothing).collect();
            if again.is_empty() {
                break;
            }
            // The others are not to be repeated.
            let same: Vec<_> = again.iter().map(|&index| requests[index]).collect();
            let by_text = again.iter().any(|&index| is_unknown(&replies[index]));
            let others = self.exchange(&same, asking, by_text, deadline).await;
            for (index, reply) in again.into_iter().zip(others) {
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
            let session = self.connected(deadline).await?;
            match self.send_over(session, pipeline(), deadline).await {
                Ok(values) => return Ok(values),
                Err(Lost::Unwritten(_)) if !is_last => is_last = true,
                Err(Lost::Unwritten(failure) | Lost::Written(failure)) => return Err(failure),
            }
        }
    }

    async fn send_over(
        self: &Arc<Self>,
        session: Arc<Session>,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, Lost> {
        let sent_at = Instant::now();
        let written = session.written();
        let mut sent = Box::pin(Arc::clone(&session).send(pipeline));
        match by(deadline, &mut sent).await {
            Some(Ok(values)) => {
                self.take(&session, &values);
                return Ok(values);
            }
            Some(Err(error)) => {
                self.state.give_up(session.number, None);
                let failure = Failure::Down(error.to_string());
                return Err(if session.written() == written {
                    Lost::Unwritten(failure)
                } else {
                    Lost::Written(failure)
                });
            }
            None => {}
        }
        // The caller waits no more. Whether the connection is at its end shows when it has had
        // its time, however short the caller's was.
        let ours = Arc::downgrade(self);
        tokio::spawn(async move {
            let late = by(sent_at + session.patience, &mut sent).await;
            let Some(ours) = ours.upgrade() else { return };
            match late {
                Some(Ok(values)) => ours.take(&session, &values),
                Some(Err(_)) => ours.state.give_up(session.number, None),
                None if session.is_silent(sent_at) => {
                    ours.state
                        .give_up(session.number, Some("it does not answer"));
                }
                None => {}
            }
        });
        Err(Lost::Written(Failure::Timeout))
    }

    /// Learn from replies.
    fn take(&self, session: &Session, values: &[Value]) {
        session.hear();
        let useless = |value| is_of_no_use(value, self.topology);
        if let Some(why) = values.iter().find_map(useless) {
            self.state.give_up(session.number, Some(why));
        }
    }

    async fn connected(&self, deadline: Instant) -> Result<Arc<Session>, Failure> {
        let settled = |state: &State| !matches!(state, State::Connecting);
        let silent = || State::Down("it does not answer".into());
        match self.state.wait(settled, deadline, silent).await {
            Some(State::Up(session)) => Ok(session),
            Some(State::Down(why)) => Err(Failure::Down(why.to_string())),
            Some(State::Connecting) | None => Err(Failure::Timeout),
        }
    }

    /// The number of the connection that there is, or will be by the deadline.
    pub(super) async fn session(&self, deadline: Instant) -> Result<u64, Failure> {
        Ok(self.connected(deadline).await?.number)
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
