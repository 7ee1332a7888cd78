//! Permits: held until they are given back, and by nobody who took them before they were forgotten.

use super::queues::{join_as, poll_as};
use super::*;
use crate::algorithm::Permits;
use crate::store::Polled;

fn permits(limit: u32) -> (Arc<MemoryStore<Permits>>, Arc<ManualClock>) {
    let (options, clock) = options(usize::MAX, Overflow::Share);
    (
        MemoryStore::new(&Permits { limit, lease: 0 }, options),
        clock,
    )
}

fn take(store: &MemoryStore<Permits>, name: &str) -> Option<Ticks> {
    store.take(key(store, &name), Patience::Wait).unwrap()
}

fn release(store: &MemoryStore<Permits>, name: &str, taken_at: Ticks) {
    let key = key(store, &name);
    store
        .release(key, 1, Some(taken_at), Patience::Wait)
        .unwrap();
}

fn holds(store: &MemoryStore<Permits>, name: &str, taken_at: Ticks) -> bool {
    store
        .holds(key(store, &name), taken_at, Patience::Wait)
        .unwrap()
}

fn in_use(store: &MemoryStore<Permits>, name: &str) -> (u32, u32) {
    store.in_use(key(store, &name), Patience::Wait).unwrap()
}

#[test]
fn what_is_held_is_never_idle_and_a_free_key_takes_no_memory() {
    let (store, clock) = permits(1);
    let taken = take(&store, "k").expect("free");
    clock.advance(8_000_000 * SECOND);
    for name in 0..10_000 {
        let key = key(&store, &name);
        let taken = store.take(key, Patience::Wait).unwrap().expect("free");
        store.release(key, 1, Some(taken), Patience::Wait).unwrap();
    }
    assert_eq!((store.len(), take(&store, "k")), (1, None));
    assert!(holds(&store, "k", taken));
    release(&store, "k", taken);
    assert_eq!((store.len(), holds(&store, "k", taken)), (0, false));
}

type Forget<'a> = &'a dyn Fn(&MemoryStore<Permits>);

/// All at one instant: only their order tells what was taken before.
#[test]
fn a_late_release_frees_nothing_that_was_taken_after_a_reset() {
    let (store, _) = permits(1);
    let reset: Forget<'_> = &|store| store.reset(key(store, &"k"), Patience::Wait).unwrap();
    let clear: Forget<'_> = &|store| store.clear();
    for forget in [reset, clear] {
        let old = take(&store, "k").expect("free");
        forget(&store);
        assert!(!holds(&store, "k", old));
        let new = take(&store, "k").expect("free again");
        release(&store, "k", old);
        assert_eq!(take(&store, "k"), None);
        assert!(holds(&store, "k", new) && !holds(&store, "k", old));
        release(&store, "k", new);
        assert_eq!(store.len(), 0);
    }
}

#[test]
fn a_permit_that_is_given_back_belongs_to_the_first_who_waits() {
    let (store, clock) = permits(1);
    let taken = take(&store, "k").expect("free");
    let join = |timeout| join_as(&store, "k", 1, timeout);
    assert!(join(Some(0)).is_err(), "nobody knows when one is free");
    let (first, poll_at) = join(Some(SECOND)).expect("lines up");
    assert_eq!(poll_at, Some(SECOND));
    let (second, poll_at) = join(None).expect("lines up");
    assert_eq!((poll_at, in_use(&store, "k")), (None, (1, 2)));
    assert!(matches!(poll_as(&store, &first), Polled::Pending(Some(at)) if at == SECOND));
    release(&store, "k", taken);
    assert!(first.bell.rung.load(SeqCst) && !second.bell.rung.load(SeqCst));
    assert_eq!((take(&store, "k"), in_use(&store, "k")), (None, (1, 1)));
    assert!(matches!(poll_as(&store, &second), Polled::Pending(None)));
    let Polled::Settled(decision, taken) = poll_as(&store, &first) else {
        panic!("it is the first");
    };
    assert!(decision.allowed && holds(&store, "k", taken));
    let (third, _) = join(Some(SECOND)).expect("lines up");
    clock.advance(SECOND);
    let Polled::Settled(refused, _) = poll_as(&store, &third) else {
        panic!("its time is up");
    };
    assert!(!refused.allowed && refused.retry_after > 0);
    // One who is gone does not keep what was meant for it.
    second.bell.gone.store(true, SeqCst);
    let (fourth, _) = join(None).expect("lines up");
    release(&store, "k", taken);
    assert!(fourth.bell.rung.load(SeqCst));
    assert!(matches!(poll_as(&store, &fourth), Polled::Settled(..)));
    assert!(matches!(poll_as(&store, &second), Polled::Gone));
}

#[test]
fn threads_never_hold_more_than_there_are() {
    let (store, most) = (permits(3).0, AtomicUsize::new(0));
    let inside = AtomicUsize::new(0);
    admitted_by_threads(8, 2_000, || {
        let Some(taken) = take(&store, "k") else {
            return false;
        };
        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
        inside.fetch_sub(1, SeqCst);
        release(&store, "k", taken);
        true
    });
    assert!(most.load(SeqCst) <= 3);
    assert_eq!(store.len(), 0);
}
