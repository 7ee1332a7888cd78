//! How many parts a word has for a limit, and what it says of one that is too large.

use crate::algorithm::{Algorithm, AnyAlgorithm, FixedWindow};
use crate::clock::SECOND;
use crate::quota::Quota;
use crate::store::zone::word::{Counters, Word, largest_limit, lateness, parts_for};

const DAY: u64 = 86_400 * SECOND;

#[test]
fn parts_by_limit() {
    for (limit, parts) in [
        (1, 79),
        (2, 39),
        (15, 19),
        (255, 9),
        (256, 7),
        (1_023, 7),
        (1_024, 6),
        (2_047, 6),
        (2_048, 5),
        (8_191, 5),
        (8_192, 4),
        (10_000, 4),
        (65_535, 4),
        (65_536, 3),
        (1_048_575, 3),
        (1_048_576, 2),
        (67_108_863, 2),
        (67_108_864, 1),
        (u32::MAX, 1),
    ] {
        assert_eq!(parts_for(limit), parts, "{limit}");
        assert!(largest_limit(parts) >= limit);
        assert!(parts == 79 || largest_limit(parts + 1) < limit, "{limit}");
    }
    assert_eq!(lateness(10_000, DAY), 6 * 3_600 * SECOND);
    assert_eq!(lateness(1_000, 70), 10);
}

#[test]
fn a_limit_above_the_layout_says_which_would_fit() {
    let quota = |limit| AnyAlgorithm::named("segmented_window", limit, DAY).expect("known");
    let first = Counters::of(&quota(500), None).expect("fits");
    assert_eq!((first.bits(), first.parts()), (10, 7));
    assert_eq!(
        Counters::of(&quota(1_023), Some(10)).expect("fits").limit(),
        1_023
    );
    let refusal = Counters::of(&quota(1_024), Some(10))
        .unwrap_err()
        .to_string();
    assert!(
        refusal.starts_with("limit must be an int from 1 to 1,023, "),
        "{refusal}"
    );
    assert!(
        refusal.contains("largest=1_024") && refusal.ends_with("got 1,024"),
        "{refusal}"
    );
    let text: Quota = "2000/day".parse().expect("a quota");
    assert!(
        first
            .under(&text)
            .unwrap_err()
            .to_string()
            .contains("1,023")
    );
    let permits = AnyAlgorithm::named("permits", 65_536, SECOND).expect("known");
    assert!(
        Counters::of(&permits, None)
            .unwrap_err()
            .to_string()
            .contains("65,535")
    );
}

#[test]
fn another_algorithm_and_a_calendar_are_refused() {
    let month: Quota = "5/month in UTC".parse().expect("a quota");
    let month = month.windowed("fixed_window").expect("fits");
    let refusal = FixedWindow::of(&month, None).unwrap_err().to_string();
    assert!(
        refusal.contains("calendar") && refusal.contains("Redis"),
        "{refusal}"
    );
    let other = AnyAlgorithm::named("sliding_counter", 5, SECOND).expect("known");
    assert!(Counters::of(&other, None).is_err() && FixedWindow::of(&other, None).is_err());
}
