//! From settings to servers. Limiters with equal settings share a route.

use std::collections::HashMap;
use std::mem::{forget, take};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex};

use redis::{Pipeline, Value};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::connect::Place;
use super::link::Link;
use super::request::{Reply, Request, Run, without_error};
use super::settings::{Settings, Topology};
use super::{Call, Failure, Sink, io};
use crate::store::fork::locked_now;

/// How calls get to the server that is in charge of their key.
pub struct Route {
    handle: Handle,
    way: Way,
    /// Limiters that use it. Calls on their way do not count.
    users: AtomicUsize,
}

/// A limiter's use of a route.
pub struct RouteUse(Arc<Route>);

enum Way {
    One(Arc<Link>),
    Slots(Arc<Cluster>),
}

/// Kept until they are [released](RouteUse::release): a program may make a limiter a request.
static ROUTES: LazyLock<Mutex<HashMap<Settings, Arc<Route>>>> = LazyLock::new(Mutex::default);

impl Route {
    /// Use the route for these settings. It connects in the background.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub fn to(settings: &Settings) -> std::io::Result<RouteUse> {
        let mut routes = locked_now(&ROUTES);
        if let Some(route) = routes.get(settings) {
            return Ok(RouteUse::of(route));
        }
        let handle = io::handle()?;
        let shared = Arc::new(settings.clone());
        let entered = handle.enter();
        let way = match settings.topology {
            Topology::Cluster => Way::Slots(Cluster::new(shared)),
            Topology::Sentinel => Way::One(Link::new(shared, Place::Primary)),
            Topology::Standalone => Way::One(Link::new(shared, place(settings))),
        };
        drop(entered);
        let route = Arc::new(Self {
            handle,
            way,
            users: AtomicUsize::new(0),
        });
        let used = RouteUse::of(&route);
        routes.insert(settings.clone(), route);
        Ok(used)
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
        link.send(|_| pipeline.clone(), deadline).await
    }
}

impl RouteUse {
    fn of(route: &Arc<Route>) -> Self {
        route.users.fetch_add(1, Relaxed);
        Self(Arc::clone(route))
    }

    /// The route.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.0
    }

    /// End this use. If it was the last one, the connections close once what is on its way
    /// has been answered.
    pub fn release(self, settings: &Settings) {
        let mut routes = locked_now(&ROUTES);
        if self.0.users.load(Relaxed) == 1 {
            routes.remove(settings);
        }
    }
}

impl Drop for RouteUse {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Relaxed);
    }
}

fn place(settings: &Settings) -> Place {
    match (&settings.unix_path, settings.nodes.first()) {
        (Some(path), _) => Place::Unix(path.clone()),
        (None, Some(node)) => Place::Node(node.clone()),
        (None, None) => Place::Node(("localhost".into(), 6379)),
    }
}

/// A child has no connections, and must not touch its parent's.
pub(super) fn after_fork_in_child() {
    forget(take(&mut *locked_now(&ROUTES)));
}
