//! What a limiter of a zone keeps to: changes of its quota, receipts, those who wait, permits.

use std::sync::Arc;

use super::Scratch;
use crate::algorithm::{AnyAlgorithm, Permits};
use crate::clock::{ManualClock, SECOND};
use crate::decision::Source;
use crate::quota::Quota;
use crate::store::zone::{Leases, Refusal, Report, Zone, ZoneLimiter, ZoneStore, in_zone};
use crate::store::{Ask, Fingerprint, Joined, Parker, Patience, Polled, Store, Ticket, Wake};

const NOW: Patience = Patience::Wait;

struct Setting {
    _scratch: Scratch,
    zone: Arc<Zone>,
    clock: Arc<ManualClock>,
}

impl Setting {
    fn new() -> Self {
        let scratch = Scratch::new();
        let zone = Zone::open(&scratch.place(1 << 20)).expect("opens");
        let clock = Arc::new(ManualClock::new(1_000_000 * SECOND));
        Self {
            _scratch: scratch,
            zone,
            clock,
        }
    }

    fn limiter(&self, algorithm: &str, limit: u32) -> Arc<dyn ZoneLimiter> {
        let quota = AnyAlgorithm::named(algorithm, limit, 10 * SECOND).expect("known");
        let clock = Some(Arc::clone(&self.clock));
        in_zone(Arc::clone(&self.zone), "api", &quota, Some(1_023), clock).expect("fits")
    }

    fn permits(&self, limit: u32) -> Arc<Leases> {
        let quota = AnyAlgorithm::Permits(Permits {
            limit,
            lease: 8 * SECOND,
        });
        let clock = Some(Arc::clone(&self.clock));
        let store = ZoneStore::new(Arc::clone(&self.zone), "slots", &quota, None, clock);
        Leases::new(store.expect("fits"))
    }
}

fn key(limiter: &dyn Store) -> Fingerprint {
    limiter.fingerprint(b"user:1")
}

fn admits(limiter: &dyn ZoneLimiter, cost: u32) -> bool {
    let decision = limiter
        .check(Ask::new(key(limiter), cost), None, NOW)
        .expect("fits");
    assert_eq!(decision.source, Source::Shared);
    decision.allowed
}

#[test]
fn limiters_of_one_name_share_and_those_of_another_window_do_not() {
    let setting = Setting::new();
    let (one, two) = (
        setting.limiter("segmented_window", 5),
        setting.limiter("segmented_window", 7),
    );
    assert!(admits(&*one, 5) && !admits(&*two, 3) && admits(&*two, 2));
    let other = AnyAlgorithm::named("segmented_window", 5, 11 * SECOND).expect("known");
    let clock = Some(Arc::clone(&setting.clock));
    let other = in_zone(Arc::clone(&setting.zone), "api", &other, None, clock).expect("fits");
    assert!(admits(&*other, 5));
    assert!(admits(&*setting.limiter("fixed_window", 5), 5));
}

#[test]
fn a_changed_quota_goes_on_with_what_was_spent() {
    let setting = Setting::new();
    for name in ["fixed_window", "segmented_window", "sliding_counter"] {
        let limiter = setting.limiter(name, 5);
        assert!(admits(&*limiter, 4));
        let quota =
            |limit, seconds| AnyAlgorithm::named(name, limit, seconds * SECOND).expect("known");
        for _ in 0..3 {
            limiter.replace(&quota(3, 10)).expect("fits");
            assert!(!admits(&*limiter, 1));
            limiter.replace(&quota(9, 10)).expect("fits");
        }
        assert!(!admits(&*limiter, 6) && admits(&*limiter, 5), "{name}");
        let refusal = limiter.replace(&quota(9, 11)).unwrap_err().to_string();
        assert!(
            refusal.starts_with("window_seconds must be 10, "),
            "{refusal}"
        );
        let own: Quota = "12/10 s".parse().expect("a quota");
        let ask = Ask {
            quota: Some(&own),
            ..Ask::new(key(&*limiter), 3)
        };
        assert_eq!(limiter.is_allowed(ask, None, NOW), Ok(true));
        assert!(
            limiter
                .check(Ask::new(key(&*limiter), 10), None, NOW)
                .is_err()
        );
    }
}

#[test]
fn a_receipt_gives_back_once_and_not_after_a_reset() {
    let setting = Setting::new();
    for name in ["fixed_window", "segmented_window", "sliding_counter"] {
        let limiter = setting.limiter(name, 5);
        let key = key(&*limiter);
        let spent = limiter
            .check(Ask::new(key, 5), None, NOW)
            .expect("fits")
            .receipt;
        assert!(limiter.is_mine(&spent) && spent.cost == 5);
        limiter.refund_spend(key, &spent, 2, NOW).expect("done");
        assert!(!admits(&*limiter, 3) && admits(&*limiter, 2), "{name}");
        limiter.reset(key, NOW).expect("done");
        assert!(admits(&*limiter, 5));
        limiter.refund_spend(key, &spent, 3, NOW).expect("done");
        assert!(!admits(&*limiter, 1), "{name}: a reset makes receipts void");
    }
}

fn join(
    limiter: &dyn ZoneLimiter,
    cost: u32,
    timeout: Option<u64>,
) -> std::result::Result<Ticket, bool> {
    let wake: Arc<dyn Wake> = Arc::new(Parker::default());
    let ask = Ask::new(key(limiter), cost);
    match limiter.join(ask, timeout, &wake, NOW).expect("fits") {
        Joined::Settled(decision, _) => Err(decision.allowed),
        Joined::Queued { ticket, .. } => Ok(ticket),
    }
}

fn poll(limiter: &dyn ZoneLimiter, ticket: &Ticket) -> Option<bool> {
    match limiter.poll(ticket, NOW).expect("fits") {
        Polled::Settled(decision, _) => Some(decision.allowed),
        Polled::Pending(_) => None,
        Polled::Gone => panic!("gone"),
    }
}

#[test]
fn who_waits_here_goes_in_the_order_of_arrival() {
    let setting = Setting::new();
    let limiter = setting.limiter("fixed_window", 4);
    assert_eq!(join(&*limiter, 3, None), Err(true));
    let first = join(&*limiter, 3, None).expect("waits");
    let second = join(&*limiter, 1, None).expect("waits behind");
    assert!(!admits(&*limiter, 1), "a plain call does not pass them");
    let refused = limiter
        .peek(Ask::new(key(&*limiter), 4), NOW)
        .expect("fits");
    assert_eq!((refused.allowed, refused.retry_after), (false, 20 * SECOND));
    assert_eq!(
        join(&*limiter, 4, Some(19 * SECOND)),
        Err(false),
        "refused up front"
    );
    assert_eq!(
        (poll(&*limiter, &first), poll(&*limiter, &second)),
        (None, None)
    );
    setting.clock.advance(10 * SECOND);
    assert_eq!(poll(&*limiter, &second), None);
    assert_eq!(poll(&*limiter, &first), Some(true));
    assert_eq!(poll(&*limiter, &second), Some(true));
    assert!(!admits(&*limiter, 1));
    assert!(matches!(limiter.poll(&first, NOW), Ok(Polled::Gone)));
}

#[test]
fn a_deadline_passes_and_a_place_that_is_left_is_the_next_ones() {
    let setting = Setting::new();
    let limiter = setting.limiter("fixed_window", 4);
    assert!(admits(&*limiter, 4));
    let first = join(&*limiter, 4, None).expect("waits");
    let second = join(&*limiter, 2, Some(20 * SECOND)).expect("waits");
    let third = join(&*limiter, 2, None).expect("waits");
    limiter.leave(&first, NOW).expect("done");
    limiter.leave(&first, NOW).expect("twice");
    setting.clock.advance(10 * SECOND);
    let other = setting.limiter("fixed_window", 4); // as another process
    assert!(admits(&*other, 4));
    assert_eq!(poll(&*limiter, &second), None);
    setting.clock.advance(10 * SECOND);
    assert!(admits(&*other, 4));
    assert_eq!(poll(&*limiter, &second), Some(false), "its time is over");
    setting.clock.advance(10 * SECOND);
    assert_eq!(poll(&*limiter, &third), Some(true));
}

#[test]
fn a_permit_lapses_is_renewed_and_is_given_back_once() {
    let setting = Setting::new();
    let (here, there) = (setting.permits(2), setting.permits(2));
    let key = here.store.fingerprint(b"job");
    let one = here.take(key).expect("free");
    let two = there.take(key).expect("free");
    assert!(here.take(key).is_none() && here.holds(one));
    assert_eq!(here.store.in_use(key).0, 2);
    for _ in 0..5 {
        setting.clock.advance(3 * SECOND);
        assert_eq!(here.renew(), Some(8 * SECOND / 3));
    }
    assert!(here.holds(one) && !there.holds(two), "nobody renewed it");
    assert_eq!((here.store.in_use(key).0, there.renew()), (1, None));
    there.release(two);
    here.release(one);
    here.release(one);
    assert_eq!((here.store.in_use(key).0, here.renew()), (0, None));
}

#[test]
fn a_permit_of_before_a_reset_gives_nothing_back() {
    let setting = Setting::new();
    let permits = setting.permits(1);
    let key = permits.store.fingerprint(b"job");
    let old = permits.take(key).expect("free");
    permits.store.reset(key, NOW).expect("done");
    let new = permits.take(key).expect("free again");
    permits.release(old);
    assert!(permits.take(key).is_none());
    permits.release(new);
    assert!(permits.take(key).is_some());
}

#[test]
fn an_exact_log_is_refused_and_segments_are_named() {
    let setting = Setting::new();
    let log = AnyAlgorithm::named("sliding_log", 5, SECOND).expect("known");
    let refusal = in_zone(Arc::clone(&setting.zone), "api", &log, None, None);
    assert!(
        refusal
            .err()
            .expect("refused")
            .to_string()
            .contains("SegmentedWindow")
    );
    let first = setting.limiter("segmented_window", 500);
    assert_eq!(first.parts(), 7);
    let large = AnyAlgorithm::named("segmented_window", 5_000, 10 * SECOND).expect("known");
    let clock = Some(Arc::clone(&setting.clock));
    let refusal = in_zone(Arc::clone(&setting.zone), "api", &large, None, clock);
    let refusal = refusal.err().expect("refused").to_string();
    for said in ["'api'", "1,023", "'fixed_window'", "largest=5_000"] {
        assert!(refusal.contains(said), "{refusal}");
    }
    assert!(first.replace(&large).is_err());
}

/// A state of a moved clock is years ahead of the host's, or behind.
#[test]
fn a_zone_is_counted_by_the_hosts_clock_or_by_moved_ones_and_not_by_both() {
    let quota = AnyAlgorithm::named("fixed_window", 5, SECOND).expect("known");
    let moved = || Some(Arc::new(ManualClock::new(SECOND)));
    for first in [None, moved()] {
        let setting = Setting::new();
        let open = |clock| in_zone(Arc::clone(&setting.zone), "api", &quota, None, clock).err();
        let is_manual = first.is_some();
        assert_eq!(open(first.clone()), None);
        assert_eq!(open(if is_manual { moved() } else { None }), None);
        let refusal = open(if is_manual { None } else { moved() }).expect("refused");
        let (is_argument, text) = (matches!(refusal, Refusal::Argument(_)), refusal.to_string());
        assert_eq!(is_argument, !is_manual, "{text}");
        let (said, path) = (
            if is_manual {
                "a ManualClock counts"
            } else {
                "clock= must be left out"
            },
            setting.zone.path().display().to_string(),
        );
        assert!(text.contains(said) && text.contains(&path), "{text}");
        let report = Report::of(setting.zone.path()).expect("a zone");
        assert_eq!(report.is_manual, is_manual);
    }
}

#[test]
fn a_zone_that_is_full_of_limits_says_which_zone_it_is() {
    let setting = Setting::new();
    let quota = AnyAlgorithm::named("fixed_window", 5, SECOND).expect("known");
    let open = |number: u32| {
        let (zone, name) = (Arc::clone(&setting.zone), number.to_string());
        in_zone(zone, &name, &quota, None, None).err()
    };
    assert_eq!((0..1_024).find_map(open), None);
    let text = open(1_024).expect("refused").to_string();
    let path = setting.zone.path().display().to_string();
    assert!(
        text.contains(&path) && text.contains("1,024 limits"),
        "{text}"
    );
    assert_eq!(open(7), None, "it is there");
}

/// A plan's tokens take another time, and come back at that.
#[test]
fn a_bucket_gives_back_what_a_keys_own_quota_spent() {
    let setting = Setting::new();
    let quota: Quota = "10/second burst 50".parse().expect("a quota");
    let bucket = quota.bucket().expect("a burst");
    let clock = Some(Arc::clone(&setting.clock));
    let zone = Arc::clone(&setting.zone);
    let quota = AnyAlgorithm::TokenBucket(bucket);
    let limiter = in_zone(zone, "plans", &quota, None, clock).expect("fits");
    let plan: Quota = "3/minute burst 7".parse().expect("a quota");
    let own = |cost| Ask {
        quota: Some(&plan),
        ..Ask::new(key(&*limiter), cost)
    };
    let spent = limiter.check(own(5), None, NOW).expect("fits");
    assert_eq!((spent.allowed, spent.remaining), (true, 2));
    setting.clock.advance(7 * SECOND);
    let left = || limiter.peek(own(1), NOW).expect("fits").remaining;
    limiter
        .refund_spend(key(&*limiter), &spent.receipt, 2, NOW)
        .expect("its own");
    assert_eq!(left(), 4, "a token is back after 20 s");
    // What is back by itself does not come back twice.
    setting.clock.advance(50 * SECOND);
    assert_eq!(left(), 6);
    limiter
        .refund_spend(key(&*limiter), &spent.receipt, 3, NOW)
        .expect("its own");
    assert_eq!(left(), 7);
    // After a change of the limiter's own quota it is the same.
    let spent = limiter.check(own(5), None, NOW).expect("fits");
    let other: Quota = "1/hour burst 9".parse().expect("a quota");
    let other = AnyAlgorithm::TokenBucket(other.bucket().expect("a burst"));
    limiter.replace(&other).expect("fits");
    limiter
        .refund_spend(key(&*limiter), &spent.receipt, 5, NOW)
        .expect("its own");
    assert_eq!(left(), 7);
}
