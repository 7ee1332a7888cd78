//! How calls get to a server, and back to who made them.

use std::sync::Arc;

use redis::{Pipeline, Value};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::connect::Place;
use super::link::Link;
use super::request::{Request, Said, without_error};
use super::settings::{Settings, Topology};
use super::{Failure, Sink};

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

    /// Run requests and have `sink` settle them, each within its timeout from now on: that they
    /// were kept back, as by an event loop that was blocked, is not the server's fault.
    pub fn send(self: &Arc<Self>, mut requests: Vec<Request>, sink: &Arc<dyn Sink>) {
        let sent_at = Instant::now();
        while let Some(timeout) = requests.first().map(|first| first.timeout) {
            let other = |request: &Request| request.timeout != timeout;
            let same = requests.iter().position(other).unwrap_or(requests.len());
            let later = requests.split_off(same);
            let batch = std::mem::replace(&mut requests, later);
            let (route, sink) = (Arc::clone(self), Arc::clone(sink));
            self.handle.spawn(async move {
                let settle = |(index, said): (usize, Said)| {
                    let request = &batch[index];
                    let answer = request.work.settle(said.and_then(without_error));
                    (request.id, answer)
                };
                let settled = |replies: Vec<_>| {
                    sink.settle(replies.into_iter().map(settle).collect());
                };
                route.run(&batch, sent_at + timeout, settled).await;
            });
        }
    }

    /// Run requests; `settled` gets the replies of each server as they come, with their indices.
    async fn run(
        &self,
        requests: &[Request],
        deadline: Instant,
        mut settled: impl FnMut(Vec<(usize, Said)>),
    ) {
        match &self.way {
            Way::One(link) => {
                let requests: Vec<_> = requests.iter().collect();
                let replies = link.run(&requests, false, deadline).await;
                settled(replies.into_iter().enumerate().collect());
            }
            Way::Slots(cluster) => cluster.run(requests, deadline, settled).await,
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
