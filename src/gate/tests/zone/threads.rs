//! Eight threads, three limits, no locks: exactly the smallest.

use super::*;
use crate::gate::tests::threads::count_yes;

#[test]
fn exactly_the_smallest_is_admitted() {
    for round in 0..20 {
        let place = Place::new();
        let mut limits =
            [("fixed_window", 300), ("segmented_window", 100)].map(|it| windowed(it.0, it.1));
        limits.rotate_left(round % 2);
        let bucket = AnyAlgorithm::TokenBucket(bucket(200, 1.0));
        let gate = Arc::new(place.gate(&[limits[0].clone(), bucket, limits[1].clone()]));
        let called = Arc::clone(&gate);
        let admitted = count_yes(200, move |thread, call| {
            let mut keys = [(0, "hot", 1), (1, "hot", 1), (2, "hot", 1)];
            keys.rotate_left((thread + call) % 3);
            spend(&called, &keys).0.allowed
        });
        let spent = [0, 1, 2].map(|limit| left(&gate, limit, "hot"));
        let mut expected = [200, 100, 0];
        if round % 2 == 1 {
            expected = [0, 100, 200];
        }
        assert_eq!((admitted, spent), (100, expected), "round {round}");
    }
}

#[test]
fn all_limits_have_spent_the_same_and_what_lost_races_took_is_back() {
    let place = Place::new();
    let gate = Arc::new(place.gate(&[
        windowed("segmented_window", 30),
        windowed("sliding_counter", 50),
        windowed("fixed_window", 400),
    ]));
    let called = Arc::clone(&gate);
    let names: Vec<String> = (0..12).map(|at| format!("name {at}")).collect();
    let (users, routes) = (names.clone(), names.clone());
    let admitted = count_yes(2_000, move |thread, call| {
        let user = users[(call * 7 + thread) % 12].as_str();
        let route = routes[(call * 3 + thread * 5) % 5].as_str();
        spend(&called, &[(2, "org", 1), (1, route, 1), (0, user, 1)])
            .0
            .allowed
    }) as u32;
    let spent = |limit: usize, of: u32, names: &[String]| {
        let left = names.iter().map(|name| of - left(&gate, limit, name));
        left.sum::<u32>()
    };
    // Which users meet which routes decides how many of the 250 of the routes are used.
    assert_eq!(spent(0, 30, &names), admitted);
    assert_eq!(spent(1, 50, &names[..5]), admitted);
    assert_eq!(spent(2, 400, &["org".into()]), admitted);
    assert_eq!(admitted, 250, "the routes are the smallest sum");
}
