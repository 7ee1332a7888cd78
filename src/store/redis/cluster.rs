//! A cluster: which master is in charge of a slot, and what to do when that changes.
//!
//! A call that was MOVED or told to ASK has done nothing, and is sent again, it alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Pipeline, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::connect::{Node, Place};
use super::line::Line;
use super::link::Link;
use super::request::Request;
use super::settings::Settings;
use super::{Failure, key};
use crate::store::fork::locked_now;

const SLOTS: usize = 16_384;
/// A call is sent on so often at most.
const MOST_HOPS: usize = 16;
/// How long a server may take to show its map.
const MAP_WITHIN: Duration = Duration::from_millis(500);
/// The map is not asked for more often, however many calls were moved.
const MAP_PAUSE: Duration = Duration::from_millis(50);
/// The pause of a call that shall try again, as while the keys of a slot move.
const TRY_AGAIN: Duration = Duration::from_millis(2);

/// The masters of a cluster.
pub(super) struct Cluster {
    settings: Arc<Settings>,
    seeds: Vec<Arc<Link>>,
    known: Mutex<Known>,
    turn: AtomicUsize,
    stale: Arc<Notify>,
    /// Whether there is a map; `None` while the first attempt goes on.
    mapped: Line<Option<bool>>,
}

struct Known {
    links: HashMap<Node, Arc<Link>>,
    slots: Vec<Option<Arc<Link>>>,
}

/// Calls that go to the same server together.
struct Group {
    link: Arc<Link>,
    asking: bool,
    indices: Vec<usize>,
}

/// What a reply asks for.
enum Next {
    Done,
    Again,
    Elsewhere(Arc<Link>, bool),
}

impl Cluster {
    /// Its masters, found from the nodes that the settings name.
    pub(super) fn new(settings: Arc<Settings>) -> Arc<Self> {
        let seed = |node: &Node| Link::new(Arc::clone(&settings), Place::Node(node.clone()));
        let cluster = Arc::new(Self {
            seeds: settings.nodes.iter().map(seed).collect(),
            settings,
            known: Mutex::new(Known {
                links: HashMap::new(),
                slots: vec![None; SLOTS],
            }),
            turn: AtomicUsize::new(0),
            stale: Arc::default(),
            mapped: Line::new(None),
        });
        cluster.stale.notify_one();
        tokio::spawn(keep_map(
            Arc::downgrade(&cluster),
            Arc::clone(&cluster.stale),
        ));
        cluster
    }

    /// Some server of it, another one each time.
    pub(super) fn any(&self) -> Arc<Link> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let known = locked_now(&self.known);
        let all: Vec<_> = known.links.values().chain(&self.seeds).collect();
        Arc::clone(all[turn % all.len()])
    }

    /// Run calls, each at the master of its key's slot.
    pub(super) async fn run(
        &self,
        calls: &[impl Request],
        deadline: Instant,
    ) -> Vec<Result<Value, Failure>> {
        if let Err(failure) = self.have_map(deadline).await {
            return calls.iter().map(|_| Err(failure.clone())).collect();
        }
        let mut replies: Vec<_> = calls.iter().map(|_| Err(Failure::Timeout)).collect();
        let mut groups: Vec<Group> = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            let slot = key::slot(&call.name());
            let master = locked_now(&self.known).slots[usize::from(slot)].clone();
            if let Some(link) = master {
                put(&mut groups, &link, false, index);
            } else {
                self.stale.notify_one();
                replies[index] = Err(Failure::Down(format!("no master has slot {slot}")));
            }
        }
        for _ in 0..MOST_HOPS {
            let (mut next, mut pause) = (Vec::new(), false);
            let rounds = groups.iter().map(|group| group.run(calls, deadline));
            for (group, answers) in groups.iter().zip(join_all(rounds).await) {
                for (&index, reply) in group.indices.iter().zip(answers) {
                    match self.next(&reply) {
                        Next::Done => {}
                        Next::Elsewhere(link, asking) => put(&mut next, &link, asking, index),
                        Next::Again => {
                            pause = true;
                            put(&mut next, &group.link, group.asking, index);
                        }
                    }
                    replies[index] = reply;
                }
            }
            groups = next;
            if groups.is_empty() || Instant::now() >= deadline {
                break;
            }
            if pause {
                sleep(TRY_AGAIN).await;
            }
        }
        replies
    }

    async fn have_map(&self, deadline: Instant) -> Result<(), Failure> {
        match self.mapped.wait(Option::is_some, deadline).await {
            Some(Some(true)) => Ok(()),
            Some(_) => Err(Failure::Down(
                "no node of the cluster shows its slots".into(),
            )),
            None => Err(Failure::Timeout),
        }
    }

    fn next(&self, reply: &Result<Value, Failure>) -> Next {
        let error = match reply {
            Ok(Value::ServerError(error)) => error,
            Ok(_) | Err(Failure::Refused(_)) => return Next::Done,
            Err(_) => {
                self.stale.notify_one();
                return Next::Done;
            }
        };
        match (error.kind(), error.details().and_then(redirection)) {
            (Some(ServerErrorKind::Moved), Some((slot, node))) => {
                self.stale.notify_one();
                let mut known = locked_now(&self.known);
                let link = self.link(&mut known.links, node);
                known.slots[slot] = Some(Arc::clone(&link));
                Next::Elsewhere(link, false)
            }
            (Some(ServerErrorKind::Ask), Some((_, node))) => {
                let mut known = locked_now(&self.known);
                Next::Elsewhere(self.link(&mut known.links, node), true)
            }
            (Some(ServerErrorKind::TryAgain), _) => Next::Again,
            (
                Some(
                    ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly,
                ),
                _,
            ) => {
                self.stale.notify_one();
                Next::Done
            }
            _ => Next::Done,
        }
    }

    fn link(&self, links: &mut HashMap<Node, Arc<Link>>, node: Node) -> Arc<Link> {
        let place = Place::Node(node.clone());
        let link = links
            .entry(node)
            .or_insert_with(|| Link::new(Arc::clone(&self.settings), place));
        Arc::clone(link)
    }

    /// Ask every server, one after the other, until one shows the map.
    async fn map(&self) -> bool {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("CLUSTER").arg("SLOTS");
        let servers = self.seeds.len() + locked_now(&self.known).links.len();
        for _ in 0..servers {
            let reply = self
                .any()
                .send(&pipeline, Instant::now() + MAP_WITHIN)
                .await;
            let ranges = match reply.as_deref() {
                Ok([Value::Array(ranges)]) if !ranges.is_empty() => ranges,
                _ => continue,
            };
            self.take(ranges.iter().filter_map(range));
            return true;
        }
        false
    }

    fn take(&self, ranges: impl Iterator<Item = (usize, usize, Node)>) {
        let mut known = locked_now(&self.known);
        let (mut links, mut slots) = (HashMap::new(), vec![None; SLOTS]);
        for (first, last, node) in ranges {
            let link = self.link(&mut known.links, node.clone());
            links.insert(node, Arc::clone(&link));
            for slot in slots.iter_mut().take(last + 1).skip(first) {
                *slot = Some(Arc::clone(&link));
            }
        }
        *known = Known { links, slots };
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stale.notify_one(); // lets the keeper of the map end
    }
}

impl Group {
    async fn run(&self, calls: &[impl Request], deadline: Instant) -> Vec<Result<Value, Failure>> {
        let calls: Vec<_> = self.indices.iter().map(|&index| &calls[index]).collect();
        self.link.run(&calls, self.asking, deadline).await
    }
}

fn put(groups: &mut Vec<Group>, link: &Arc<Link>, asking: bool, index: usize) {
    let same = |group: &&mut Group| Arc::ptr_eq(&group.link, link) && group.asking == asking;
    match groups.iter_mut().find(same) {
        Some(group) => group.indices.push(index),
        None => groups.push(Group {
            link: Arc::clone(link),
            asking,
            indices: vec![index],
        }),
    }
}

/// Ask for the map whenever it may be out of date.
async fn keep_map(cluster: Weak<Cluster>, stale: Arc<Notify>) {
    loop {
        stale.notified().await;
        let Some(strong) = cluster.upgrade() else {
            return;
        };
        let found = strong.map().await;
        strong.mapped.change(|mapped| {
            // Once there was a map, its masters are asked, whoever is down.
            let better = *mapped != Some(true) && *mapped != Some(found);
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

/// `7365 127.0.0.1:7003`, as a slot and a node.
fn redirection(details: &str) -> Option<(usize, Node)> {
    let (slot, address) = details.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let slot = slot.parse().ok().filter(|&slot: &usize| slot < SLOTS)?;
    (!host.is_empty()).then_some((slot, (host.to_owned(), port.parse().ok()?)))
}

/// A range of slots with its master.
fn range(entry: &Value) -> Option<(usize, usize, Node)> {
    let Value::Array(items) = entry else {
        return None;
    };
    let number = |value: &Value| match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let [first, last, Value::Array(master), ..] = items.as_slice() else {
        return None;
    };
    let [Value::BulkString(host), port, ..] = master.as_slice() else {
        return None;
    };
    let node = (
        String::from_utf8(host.clone()).ok()?,
        u16::try_from(number(port)?).ok()?,
    );
    Some((number(first)?, number(last)?, node))
}
