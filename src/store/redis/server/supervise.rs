//! Connecting to a server, and again whenever its connection has ended.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::RedisResult;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::address::Address;
use super::connect::connect;
use super::ordered_watch::OrderedWatch;
use super::session::Session;
use super::settings::Settings;
use super::state::State;

/// An attempt to connect may take so long: several round trips around the world.
const PATIENCE: Duration = Duration::from_secs(10);
/// An attempt may be lost, though the server has come back: so often another is made beside it.
const ANOTHER: Duration = Duration::from_millis(600);
/// The second attempt begins so long after the first, if that has failed by then. It doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Keep a connection to `address` until nobody watches its state.
pub(super) async fn supervise(
    watch: Weak<OrderedWatch<State>>,
    settings: Arc<Settings>,
    address: Address,
) {
    let Some(mut state) = watch.upgrade().map(|watch| watch.subscribe()) else {
        return;
    };
    let mut dropped = state.clone();
    let kept = async {
        let mut pause = SHORTEST_PAUSE;
        let mut number = 0;
        loop {
            let begun = Instant::now();
            let numbered = || {
                number += 1;
                connect(&settings, &address, number, lost(watch.clone(), number))
            };
            let found = attempt(numbered).await;
            let Some(strong) = watch.upgrade() else {
                return;
            };
            match found {
                Ok(session) => {
                    let session = Arc::new(session);
                    strong.set(State::Up(Arc::clone(&session)));
                    drop(strong);
                    if was_of_use(&mut state, &session).await {
                        pause = SHORTEST_PAUSE;
                        continue;
                    }
                    let Some(strong) = watch.upgrade() else {
                        return;
                    };
                    if pause > SHORTEST_PAUSE {
                        strong.set_down("the server closes connections at once");
                    }
                }
                Err(why) => {
                    strong.set(State::Down(why.into()));
                    drop(strong); // or it would live for the pause
                }
            }
            sleep_until(begun + pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        () = kept => {}
        // Only a watch that was dropped ends the wait for what never comes.
        _ = dropped.wait_for(|_| false) => {}
    }
}

fn lost(watch: Weak<OrderedWatch<State>>, number: u64) -> impl Fn() + Send + Sync + 'static {
    move || {
        if let Some(watch) = watch.upgrade() {
            watch.give_up(number, None);
        }
    }
}

/// Wait until the connection has ended. Whether it lasted, or was lost after it had answered: then
/// the next is made at once. One to the wrong server is not, however often it is asked.
async fn was_of_use(state: &mut Receiver<State>, session: &Session) -> bool {
    let ended = state.wait_for(|state| !matches!(state, State::Up(_)));
    let was_lost = ended
        .await
        .is_ok_and(|state| matches!(*state, State::Connecting));
    session.age() >= LONGEST_PAUSE || (was_lost && session.was_heard())
}

/// A session, or why there is none: by the first attempt, however long it takes, or by others
/// that are begun beside it and are only given a moment.
async fn attempt<F>(mut connect: impl FnMut() -> F) -> Result<Session, String>
where
    F: Future<Output = RedisResult<Session>>,
{
    let mut first = pin!(timeout(PATIENCE, connect()));
    let mut found = timeout(ANOTHER, &mut first).await.ok();
    while found.is_none() {
        let ends = Instant::now() + ANOTHER;
        let another = async {
            if let Ok(Ok(session)) = timeout_at(ends, connect()).await {
                return Some(Ok(Ok(session)));
            }
            sleep_until(ends).await;
            None
        };
        found = tokio::select! {
            first = &mut first => Some(first),
            another = another => another,
        };
    }
    match found {
        Some(Ok(found)) => found.map_err(|error| error.to_string()),
        _ => Err("it does not answer".to_owned()),
    }
}
