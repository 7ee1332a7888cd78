//! Items by their key, which also stand in lists: to find, to take out or to append one costs the
//! same however many there are.

use hashbrown::HashTable;

use crate::store::Fingerprint;

/// What an item is known by: a key, and which of the key's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) key: Fingerprint,
    pub(super) which: u8,
}

impl Name {
    fn hash(self) -> u64 {
        // Far apart: a table tells items apart by the highest bits, and places them by the lowest.
        self.key.hash() ^ u64::from(self.which).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// A list's head, or an item: a ring with links in both directions.
#[derive(Debug)]
struct Node<T> {
    before: u32,
    after: u32,
    item: Option<(Name, T)>,
}

/// The items and their lists.
#[derive(Debug)]
pub(super) struct Listed<T> {
    index: HashTable<u32>,
    /// First the heads of the lists, each by its number.
    nodes: Vec<Node<T>>,
    /// Nodes that are not in use.
    free: Vec<u32>,
}

impl<T> Listed<T> {
    /// No items yet, in `lists` lists.
    pub(super) fn new(lists: u32) -> Self {
        let head = |number| Node {
            before: number,
            after: number,
            item: None,
        };
        Self {
            index: HashTable::new(),
            nodes: (0..lists).map(head).collect(),
            free: Vec::new(),
        }
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The item of that name.
    pub(super) fn get(&self, name: Name) -> Option<&T> {
        let place = *self
            .index
            .find(name.hash(), |&place| self.is(place, name))?;
        self.nodes[place as usize]
            .item
            .as_ref()
            .map(|(_, item)| item)
    }

    /// Append an item to a list, in the place of one of the same name.
    pub(super) fn insert(&mut self, list: u32, name: Name, item: T) {
        self.remove(name);
        let node = Node {
            before: self.nodes[list as usize].before,
            after: list,
            item: Some((name, item)),
        };
        let before = node.before;
        let place = if let Some(place) = self.free.pop() {
            self.nodes[place as usize] = node;
            place
        } else {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        };
        self.join(before, place);
        self.join(place, list);
        let Self { index, nodes, .. } = self;
        index.insert_unique(name.hash(), place, |&place| {
            let named = nodes[place as usize].item.as_ref();
            named.map_or(0, |(name, _)| name.hash())
        });
    }

    /// Take out the item of that name.
    pub(super) fn remove(&mut self, name: Name) -> Option<T> {
        let Self { index, nodes, .. } = self;
        let is_it = |&place: &u32| {
            let item = nodes[place as usize].item.as_ref();
            item.is_some_and(|(named, _)| *named == name)
        };
        let (place, _) = index.find_entry(name.hash(), is_it).ok()?.remove();
        let node = &mut self.nodes[place as usize];
        let (before, after, item) = (node.before, node.after, node.item.take());
        self.join(before, after);
        self.free.push(place);
        item.map(|(_, item)| item)
    }

    /// The first of a list.
    pub(super) fn first(&self, list: u32) -> Option<Name> {
        let first = self.nodes[list as usize].after;
        self.nodes[first as usize]
            .item
            .as_ref()
            .map(|(name, _)| *name)
    }

    /// Move all of one list to the end of another.
    pub(super) fn append(&mut self, to: u32, from: u32) {
        let Node {
            before: last,
            after: first,
            ..
        } = self.nodes[from as usize];
        if first == from {
            return;
        }
        self.join(self.nodes[to as usize].before, first);
        self.join(last, to);
        self.join(from, from);
    }

    fn is(&self, place: u32, name: Name) -> bool {
        let item = self.nodes[place as usize].item.as_ref();
        item.is_some_and(|(named, _)| *named == name)
    }

    fn join(&mut self, before: u32, after: u32) {
        self.nodes[before as usize].after = after;
        self.nodes[after as usize].before = before;
    }
}
