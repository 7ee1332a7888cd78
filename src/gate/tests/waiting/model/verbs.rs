//! What the random callers do.

use proptest::prelude::*;

use super::super::super::oracle::{KEYS, LIMITS};
use super::*;

#[derive(Debug, Clone)]
pub(super) enum Verb {
    Check(Ways),
    AtOnce(Ways),
    Peek(Ways),
    Wait(Ways, Option<Ticks>),
    /// One of those who were woken, or whose time has come, polls.
    Come(usize),
    /// One polls for nothing.
    Spurious(usize),
    Leave(usize),
    /// One is not there any more, and has told nobody.
    Vanish(usize),
    Refund(u8),
    /// Of a limit and a key: more is used than was asked for.
    Owe(usize, u8, u32),
    Reset(usize, u8),
}

pub(super) fn events() -> impl Strategy<Value = Vec<(bool, Ticks, Verb)>> {
    let gap = prop_oneof![6 => Just(0), 3 => 0..2 * SECOND, 1 => 4 * SECOND..11 * SECOND];
    let ways = || {
        let one = (0..KEYS, 1..4_u32, Just(0));
        prop::array::uniform6(prop::option::weighted(0.4, one))
    };
    let timeout = prop::option::weighted(0.4, 0..12 * SECOND);
    let nth = || 0..100_usize;
    let verb = prop_oneof![
        6 => ways().prop_map(Verb::Check),
        1 => ways().prop_map(Verb::AtOnce),
        1 => ways().prop_map(Verb::Peek),
        6 => (ways(), timeout).prop_map(|(ways, timeout)| Verb::Wait(ways, timeout)),
        8 => nth().prop_map(Verb::Come),
        1 => nth().prop_map(Verb::Spurious),
        1 => nth().prop_map(Verb::Leave),
        1 => nth().prop_map(Verb::Vanish),
        2 => (0..KEYS).prop_map(Verb::Refund),
        1 => (0..LIMITS - 1, 0..KEYS, 1..12_u32).prop_map(|(limit, name, cost)| Verb::Owe(limit, name, cost)),
        1 => (0..LIMITS, 0..KEYS).prop_map(|(limit, name)| Verb::Reset(limit, name)),
    ];
    prop::collection::vec((any::<bool>(), gap, verb), 1..250)
}
