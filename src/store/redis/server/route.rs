//! How calls get to a server, and back to who made them.

mod clear;

use std::sync::Arc;

use redis::{Cmd, Pipeline, Value};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::address::Address;
use super::cluster::Cluster;
use super::connection::Connection;
use super::meaning::without_error;
use super::outbox::{Batch, Outbox};
use super::settings::{Settings, Topology};
use crate::store::redis::answer::{Failure, Sink};
use crate::store::redis::request::{Request, Said};

/// How calls get to the server that is in charge of their key.
pub struct Route {
    pub(super) settings: Arc<Settings>,
    handle: Handle,
    servers: Servers,
    outbox: Outbox,
}

enum Servers {
    One(Arc<Connection>),
    Cluster(Arc<Cluster>),
}

impl Route {
    /// A route for these settings. It connects in the background until it is dropped.
    pub(super) fn new(settings: &Settings, handle: Handle) -> Self {
        let settings = Arc::new(settings.clone());
        let shared = Arc::clone(&settings);
        let entered = handle.enter();
        let servers = match settings.topology {
            Topology::Cluster => Servers::Cluster(Cluster::new(shared)),
            Topology::Sentinel => Servers::One(Connection::new(shared, Address::Primary)),
            Topology::Standalone => Servers::One(Connection::new(shared, address(&settings))),
        };
        drop(entered);
        Self {
            settings,
            handle,
            servers,
            outbox: Outbox::default(),
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Run requests and have `sink` settle them, each within its timeout from now on: that they
    /// were kept back, as by an event loop that was blocked, is not the server's fault.
    pub fn send(self: &Arc<Self>, requests: Vec<Request>, sink: &Arc<dyn Sink>) {
        if self.outbox.put(requests, sink) {
            self.handle.spawn(Arc::clone(self).send_all());
        }
    }

    async fn send_all(self: Arc<Self>) {
        let send = |batch| Arc::clone(&self).send_batch(batch);
        self.outbox.send_all(send).await;
    }

    async fn send_batch(self: Arc<Self>, batch: Batch) {
        let answer = |(index, said): (usize, Said)| {
            let work = &batch.requests[index].work;
            (index, work.settle(said.and_then(without_error)))
        };
        let settled = |replies: Vec<_>| batch.settle(replies.into_iter().map(answer));
        self.run(&batch.requests, batch.deadline, settled).await;
    }

    /// Run requests; `settled` gets the replies of each server as they come, with their indices.
    async fn run(
        &self,
        requests: &[Request],
        deadline: Instant,
        mut settled: impl FnMut(Vec<(usize, Said)>),
    ) {
        match &self.servers {
            Servers::One(connection) => {
                let requests: Vec<_> = requests.iter().collect();
                let replies = connection.run(&requests, false, deadline).await;
                settled(replies.into_iter().enumerate().collect());
            }
            Servers::Cluster(cluster) => cluster.run(requests, deadline, settled).await,
        }
    }

    /// Ask one server something other than a decision.
    ///
    /// # Errors
    /// When there is no answer by `deadline`, or it is an error.
    pub async fn ask(&self, command: Cmd, deadline: Instant) -> Result<Value, Failure> {
        let connection = match &self.servers {
            Servers::One(connection) => Arc::clone(connection),
            Servers::Cluster(cluster) => cluster.any(),
        };
        let pipeline = || {
            let mut pipeline = Pipeline::new();
            pipeline.add_command(command.clone());
            pipeline
        };
        let replies = connection.send(pipeline, deadline).await?;
        without_error(replies.into_iter().next().unwrap_or(Value::Nil))
    }
}

fn address(settings: &Settings) -> Address {
    match (&settings.unix_path, settings.nodes.first()) {
        (Some(path), _) => Address::Unix(path.clone()),
        (None, Some(node)) => Address::Node(node.clone()),
        (None, None) => Address::Node(("localhost".into(), 6379)),
    }
}
