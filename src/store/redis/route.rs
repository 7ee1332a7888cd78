//! How calls get to a server, and back to who made them.

use std::sync::Arc;

use redis::{Pipeline, Value};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::connect::Place;
use super::link::Link;
use super::request::{Reply, Request, Run, without_error};
use super::settings::{Settings, Topology};
use super::{Call, Failure, Sink};

/// How calls get to the server that is in charge of their key.
pub struct Route {
    pub(super) settings: Arc<Settings>,
    handle: Handle,
    way: Way,
}

enum Way {
    One(Arc<Link>),
    Slots(Arc<Cluster>),
}

impl Route {
    /// A route for these settings. It connects in the background until it is dropped.
    pub(super) fn new(settings: &Settings, handle: Handle) -> Self {
        let settings = Arc::new(settings.clone());
        let shared = Arc::clone(&settings);
        let entered = handle.enter();
        let way = match settings.topology {
            Topology::Cluster => Way::Slots(Cluster::new(shared)),
            Topology::Sentinel => Way::One(Link::new(shared, Place::Primary)),
            Topology::Standalone => Way::One(Link::new(shared, place(&settings))),
        };
        drop(entered);
        Self {
            settings,
            handle,
            way,
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Run calls and have `sink` settle them, each within its limiter's timeout from now on: that
    /// they were kept back, as by an event loop that was blocked, is not the server's fault.
    pub fn send(self: &Arc<Self>, mut calls: Vec<Call>, sink: &Arc<dyn Sink>) {
        let sent_at = Instant::now();
        while let Some(first) = calls.first() {
            let timeout = first.limit.timeout;
            let same = calls
                .iter()
                .take_while(|call| call.limit.timeout == timeout)
                .count();
            let later = calls.split_off(same);
            let deadline = sent_at + timeout;
            let (route, sink) = (Arc::clone(self), Arc::clone(sink));
            let batch = std::mem::replace(&mut calls, later);
            self.handle.spawn(async move {
                let settle = |(index, reply): (usize, Reply)| {
                    let call: &Call = &batch[index];
                    let answer = call.limit.settle(call, reply.and_then(without_error));
                    (call.id, answer)
                };
                let settled = |replies: Vec<_>| {
                    sink.settle(replies.into_iter().map(settle).collect());
                };
                route.run(&batch, deadline, settled).await;
            });
        }
    }

    /// Run a script that is no limiter's.
    ///
    /// # Errors
    /// When there is no answer by `deadline`, or it is an error.
    pub async fn run_one(&self, run: Run, deadline: Instant) -> Result<Value, Failure> {
        let mut answer = Err(Failure::Timeout);
        let settled = |replies: Vec<_>| {
            for (_, reply) in replies {
                answer = reply;
            }
        };
        self.run(&[run], deadline, settled).await;
        answer.and_then(without_error)
    }

    /// Run calls; `settled` gets the replies of each server as they come, with their indices.
    async fn run(
        &self,
        calls: &[impl Request],
        deadline: Instant,
        mut settled: impl FnMut(Vec<(usize, Reply)>),
    ) {
        match &self.way {
            Way::One(link) => {
                let calls: Vec<_> = calls.iter().collect();
                let replies = link.run(&calls, false, deadline).await;
                settled(replies.into_iter().enumerate().collect());
            }
            Way::Slots(cluster) => cluster.run(calls, deadline, settled).await,
        }
    }

    /// Ask one server something that is no decision.
    ///
    /// # Errors
    /// When there is no answer by `deadline`.
    pub async fn ask(&self, pipeline: Pipeline, deadline: Instant) -> Result<Vec<Value>, Failure> {
        let link = match &self.way {
            Way::One(link) => Arc::clone(link),
            Way::Slots(cluster) => cluster.any(),
        };
        link.send(|| pipeline.clone(), deadline).await
    }
}

fn place(settings: &Settings) -> Place {
    match (&settings.unix_path, settings.nodes.first()) {
        (Some(path), _) => Place::Unix(path.clone()),
        (None, Some(node)) => Place::Node(node.clone()),
        (None, None) => Place::Node(("localhost".into(), 6379)),
    }
}
