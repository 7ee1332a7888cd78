//! Connecting a link, and again whenever its connection has ended.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{RedisError, RedisResult};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::connect::{Place, connect};
use super::connection::Connection;
use super::link::{Link, State};
use super::settings::Settings;

/// An attempt to connect may take so long: several round trips around the world.
const PATIENCE: Duration = Duration::from_secs(10);
/// An attempt may be lost, though the server has come back: so often another is made beside it.
const ANOTHER: Duration = Duration::from_millis(600);
/// The second attempt begins so long after the first, if that has failed by then. It doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Keep `link` connected to `place` until it is dropped.
pub(super) async fn supervise(link: Weak<Link>, settings: Arc<Settings>, place: Place) {
    let Some(mut state) = link.upgrade().map(|link| link.state.subscribe()) else {
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
                connect(&settings, &place, number, lost(link.clone(), number))
            };
            let found = attempt(numbered).await;
            let Some(strong) = link.upgrade() else { return };
            match found {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    strong.state.set(State::Up(Arc::clone(&connection)));
                    drop(strong);
                    if was_of_use(&mut state, &connection).await {
                        pause = SHORTEST_PAUSE;
                        continue;
                    }
                    let Some(strong) = link.upgrade() else { return };
                    if pause > SHORTEST_PAUSE {
                        strong.set_down("the server closes connections at once");
                    }
                }
                Err(why) => {
                    strong.state.set(State::Down(why.into()));
                    drop(strong); // or it would live for the pause
                }
            }
            sleep_until(begun + pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        () = kept => {}
        // Only a link that was dropped ends the wait for what never comes.
        _ = dropped.wait_for(|_| false) => {}
    }
}

fn lost(link: Weak<Link>, number: u64) -> impl Fn() + Send + Sync + 'static {
    move || {
        if let Some(link) = link.upgrade() {
            link.give_up(number, None);
        }
    }
}

/// Wait until the connection has ended. Whether it lasted, or was lost after it had answered: then
/// the next is made at once. One to the wrong server is not, however often it is asked.
async fn was_of_use(state: &mut Receiver<State>, connection: &Connection) -> bool {
    let ended = state.wait_for(|state| !matches!(state, State::Up(_)));
    let was_lost = ended
        .await
        .is_ok_and(|state| matches!(*state, State::Connecting));
    connection.age() >= LONGEST_PAUSE || (was_lost && connection.was_heard())
}

/// A connection, or why there is none: by the first attempt, however long it takes, or by others
/// that are begun beside it and are only given a moment.
async fn attempt<F>(mut connect: impl FnMut() -> F) -> Result<Connection, String>
where
    F: Future<Output = RedisResult<Connection>>,
{
    let mut first = pin!(timeout(PATIENCE, connect()));
    let mut found = timeout(ANOTHER, &mut first).await.ok();
    while found.is_none() {
        let ends = Instant::now() + ANOTHER;
        let another = async {
            if let Ok(Ok(connection)) = timeout_at(ends, connect()).await {
                return Some(Ok(Ok(connection)));
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
        Some(Ok(found)) => found.map_err(|error| told(&error)),
        _ => Err("it does not answer".to_owned()),
    }
}

/// What an error says. It names addresses and causes, never a password.
pub(super) fn told(error: &RedisError) -> String {
    error.to_string()
}
