//! From settings to servers. Limiters with equal settings share a route.

use std::collections::HashMap;
use std::mem::{forget, take};
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
}

enum Way {
    One(Arc<Link>),
    Slots(Arc<Cluster>),
}

/// Kept until they are [released](Route::release): a program may make a limiter a request.
static ROUTES: LazyLock<Mutex<HashMap<Settings, Arc<Route>>>> = LazyLock::new(Mutex::default);

impl Route {
    /// The route for these settings. It connects in the background.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub fn to(settings: &Settings) -> std::io::Result<Arc<Self>> {
        let mut routes = locked_now(&ROUTES);
        if let Some(route) = routes.get(settings) {
            return Ok(Arc::clone(route));
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
        let route = Arc::new(Self { handle, way });
        routes.insert(settings.clone(), Arc::clone(&route));
        Ok(route)
    }

    /// Close the connections, unless somebody else uses them too.
    pub fn release(self: Arc<Self>, settings: &Settings) {
        let mut routes = locked_now(&ROUTES);
        if Arc::strong_count(&self) == 2 {
            routes.remove(settings);
        }
    }

    /// Run calls and have `sink` settle them, each within its limiter's timeout.
    pub fn send(self: &Arc<Self>, mut calls: Vec<Call>, sink: &Arc<dyn Sink>) {
        while let Some(first) = calls.first() {
            let timeout = first.limit.timeout;
            let same = calls
                .iter()
                .take_while(|call| call.limit.timeout == timeout)
                .count();
            let later = calls.split_off(same);
            let deadline = Instant::from_std(calls[0].made_at) + timeout;
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
        match &self.way {
            Way::One(link) => link.send(pipeline, deadline).await,
            Way::Slots(cluster) => cluster.any().send(pipeline, deadline).await,
        }
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
