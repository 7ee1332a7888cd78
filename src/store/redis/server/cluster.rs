//! A cluster: which master is in charge of a slot, and what to do when that changes.
//!
//! A call that was MOVED or told to ASK has done nothing, and is sent again, it alone.

mod primaries;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{Pipeline, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::address::{Address, Node};
use super::connection::Connection;
use super::meaning::code;
use super::ordered_watch::OrderedWatch;
use super::settings::Settings;
use super::slots::{Range, SLOTS, ranges, redirection, slot};
use crate::store::fork::locked_now;
use crate::store::redis::answer::Failure;
use crate::store::redis::request::{Request, Said};

/// A call is sent on so often at most.
const MOST_HOPS: usize = 16;
/// How long a server may take to show its map.
const MAP_WITHIN: Duration = Duration::from_secs(1);
/// How long a round of questions waits for a server that is being connected. Another follows.
const CONNECTED_WITHIN: Duration = Duration::from_millis(500);
/// After so long another server is asked too.
const MAP_PATIENCE: Duration = Duration::from_millis(50);
/// The map is not asked for more often, however many calls were moved.
const MAP_PAUSE: Duration = Duration::from_millis(50);
/// The pause of a call that shall try again, as while the keys of a slot move.
const TRY_AGAIN: Duration = Duration::from_millis(2);

/// The masters of a cluster.
pub(super) struct Cluster {
    settings: Arc<Settings>,
    seeds: Vec<Arc<Connection>>,
    known: Mutex<Known>,
    next_node: AtomicUsize,
    stale: Arc<Notify>,
    /// Whether there is a map; `None` while the first attempt goes on.
    mapped: OrderedWatch<Option<bool>>,
}

struct Known {
    connections: HashMap<Node, Arc<Connection>>,
    slots: Vec<Option<Arc<Connection>>>,
}

/// Calls that go to the same server together.
struct Group {
    connection: Arc<Connection>,
    asking: bool,
    /// Whether they are sent after a pause.
    waits: bool,
    hops: usize,
    indices: Vec<usize>,
}

/// What a reply asks for.
enum Next {
    Done,
    Again,
    Elsewhere(Arc<Connection>, bool),
}

impl Cluster {
    /// Its masters, found from the nodes that the settings name.
    pub(super) fn new(settings: Arc<Settings>) -> Arc<Self> {
        let seed =
            |node: &Node| Connection::new(Arc::clone(&settings), Address::Node(node.clone()));
        let cluster = Arc::new(Self {
            seeds: settings.nodes.iter().map(seed).collect(),
            settings,
            known: Mutex::new(Known {
                connections: HashMap::new(),
                slots: vec![None; SLOTS],
            }),
            next_node: AtomicUsize::new(0),
            stale: Arc::default(),
            mapped: OrderedWatch::new(None),
        });
        cluster.stale.notify_one();
        tokio::spawn(keep_map(
            Arc::downgrade(&cluster),
            Arc::clone(&cluster.stale),
        ));
        cluster
    }

    /// Some server of it, another one each time.
    pub(super) fn any(&self) -> Arc<Connection> {
        let next = self.next_node.fetch_add(1, Relaxed);
        let known = locked_now(&self.known);
        let all: Vec<_> = known.connections.values().chain(&self.seeds).collect();
        Arc::clone(all[next % all.len()])
    }

    /// Run calls, each at the master of its key's slot. `settled` gets the replies of each server
    /// as they come, with their indices: one that hangs holds up no other's.
    pub(super) async fn run(
        &self,
        requests: &[Request],
        deadline: Instant,
        mut settled: impl FnMut(Vec<(usize, Said)>),
    ) {
        if let Err(failure) = self.have_map(deadline).await {
            let failed = (0..requests.len()).map(|index| (index, Err(failure.clone())));
            return settled(failed.collect());
        }
        let (groups, homeless) = self.grouped(requests);
        if !homeless.is_empty() {
            self.stale.notify_one();
            settled(homeless);
        }
        let mut running: FuturesUnordered<_> = groups
            .into_iter()
            .map(|group| group.run(requests, deadline))
            .collect();
        while let Some((group, replies)) = running.next().await {
            let is_last = group.hops == MOST_HOPS || Instant::now() >= deadline;
            let (mut done, mut sent_on) = (Vec::new(), Vec::new());
            for (&index, reply) in group.indices.iter().zip(replies) {
                match self.next(&reply, &group.connection) {
                    Next::Elsewhere(connection, asking) if !is_last => {
                        put(&mut sent_on, group.then(connection, asking, false), index);
                    }
                    Next::Again if !is_last => {
                        let same = Arc::clone(&group.connection);
                        put(&mut sent_on, group.then(same, group.asking, true), index);
                    }
                    _ => done.push((index, reply)),
                }
            }
            if !done.is_empty() {
                settled(done);
            }
            running.extend(
                sent_on
                    .into_iter()
                    .map(|group| group.run(requests, deadline)),
            );
        }
    }

    /// Calls by their masters, and those that have none.
    fn grouped(&self, requests: &[Request]) -> (Vec<Group>, Vec<(usize, Said)>) {
        let (mut groups, mut homeless) = (Vec::new(), Vec::new());
        let known = locked_now(&self.known);
        for (index, request) in requests.iter().enumerate() {
            let number = slot(&request.work.name());
            if let Some(connection) = &known.slots[usize::from(number)] {
                put(&mut groups, Group::of(Arc::clone(connection)), index);
            } else {
                let why = format!("no master has slot {number}");
                homeless.push((index, Err(Failure::Down(why))));
            }
        }
        (groups, homeless)
    }

    async fn have_map(&self, deadline: Instant) -> Result<(), Failure> {
        let found = self.mapped.wait(Option::is_some, deadline, || Some(false));
        match found.await {
            Some(Some(true)) => Ok(()),
            Some(_) => Err(Failure::Down(
                "no node of the cluster shows its slots".into(),
            )),
            None => Err(Failure::Timeout),
        }
    }

    /// What is to be done after `asked` gave that reply.
    fn next(&self, reply: &Said, asked: &Connection) -> Next {
        let error = match reply {
            Ok(Value::ServerError(error)) => error,
            Ok(_) | Err(Failure::Refused(_)) => return Next::Done,
            Err(_) => {
                self.stale.notify_one();
                return Next::Done;
            }
        };
        let redirected = error
            .details()
            .and_then(|details| redirection(details, asked.host()));
        match (code(error), redirected) {
            ("MOVED", Some((slot, node))) => {
                self.stale.notify_one();
                let mut known = locked_now(&self.known);
                let connection = self.connection(&mut known.connections, node);
                known.slots[slot] = Some(Arc::clone(&connection));
                Next::Elsewhere(connection, false)
            }
            ("ASK", Some((_, node))) => {
                let mut known = locked_now(&self.known);
                Next::Elsewhere(self.connection(&mut known.connections, node), true)
            }
            ("TRYAGAIN", _) => Next::Again,
            ("CLUSTERDOWN" | "MASTERDOWN" | "READONLY" | "LOADING", _) => {
                self.stale.notify_one();
                Next::Done
            }
            _ => Next::Done,
        }
    }

    fn connection(
        &self,
        connections: &mut HashMap<Node, Arc<Connection>>,
        node: Node,
    ) -> Arc<Connection> {
        let address = Address::Node(node.clone());
        let connection = connections
            .entry(node)
            .or_insert_with(|| Connection::new(Arc::clone(&self.settings), address));
        Arc::clone(connection)
    }

    /// Ask every server until one shows the map: the next when one is slow to answer.
    async fn map(&self) -> bool {
        let mut untried = self.seeds.len() + locked_now(&self.known).connections.len();
        let mut asked = FuturesUnordered::new();
        loop {
            if untried > 0 {
                untried -= 1;
                asked.push(show_map(self.any()));
            }
            match timeout(MAP_PATIENCE, asked.next()).await {
                Ok(Some(Some(ranges))) => {
                    self.take(ranges);
                    return true;
                }
                Ok(None) => return false,
                Ok(Some(None)) | Err(_) => {}
            }
        }
    }

    fn take(&self, ranges: Vec<Range>) {
        let mut known = locked_now(&self.known);
        let (mut connections, mut slots) = (HashMap::new(), vec![None; SLOTS]);
        for (first, last, node) in ranges {
            let connection = self.connection(&mut known.connections, node.clone());
            connections.insert(node, Arc::clone(&connection));
            for slot in slots.iter_mut().take(last + 1).skip(first) {
                *slot = Some(Arc::clone(&connection));
            }
        }
        *known = Known { connections, slots };
    }
}

async fn show_map(connection: Arc<Connection>) -> Option<Vec<Range>> {
    let slots = || {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("CLUSTER").arg("SLOTS");
        pipeline
    };
    if !connection
        .is_settled(Instant::now() + CONNECTED_WITHIN)
        .await
    {
        return None;
    }
    let reply = connection.send(slots, Instant::now() + MAP_WITHIN).await;
    ranges(&reply.ok()?, connection.host())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stale.notify_one(); // lets the keeper of the map end
    }
}

impl Group {
    fn of(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            asking: false,
            waits: false,
            hops: 1,
            indices: Vec::new(),
        }
    }

    /// Where some of these calls go next.
    fn then(&self, connection: Arc<Connection>, asking: bool, waits: bool) -> Self {
        Self {
            connection,
            asking,
            waits,
            hops: self.hops + 1,
            indices: Vec::new(),
        }
    }

    async fn run(self, requests: &[Request], deadline: Instant) -> (Self, Vec<Said>) {
        if self.waits {
            sleep(TRY_AGAIN).await;
        }
        let requests: Vec<_> = self.indices.iter().map(|&i| &requests[i]).collect();
        let replies = self.connection.run(&requests, self.asking, deadline).await;
        (self, replies)
    }

    fn joins(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.connection, &other.connection) && self.asking == other.asking
    }
}

/// Add a call to `group`, which may be one of `groups` already.
fn put(groups: &mut Vec<Group>, group: Group, index: usize) {
    let place = groups.iter().position(|other| other.joins(&group));
    let place = place.unwrap_or_else(|| {
        groups.push(group);
        groups.len() - 1
    });
    groups[place].indices.push(index);
}

/// Ask for the map whenever it may be out of date.
async fn keep_map(cluster: Weak<Cluster>, stale: Arc<Notify>) {
    loop {
        stale.notified().await;
        let Some(strong) = cluster.upgrade() else {
            return;
        };
        let found = strong.map().await;
        let is_known = found || !strong.seeds.iter().any(|seed| seed.is_connecting());
        strong.mapped.change(|mapped| {
            // Once there was a map, its masters are asked, whoever is down.
            let better = is_known && *mapped != Some(true) && *mapped != Some(found);
            if better {
                *mapped = Some(found);
            }
            better
        });
        if !found {
            stale.notify_one();
        }
        drop(strong);
        sleep(MAP_PAUSE).await;
    }
}
