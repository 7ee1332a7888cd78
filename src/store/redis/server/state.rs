//! What is known of the connection to one server.

use std::sync::Arc;

use super::ordered_watch::OrderedWatch;
use super::session::Session;

/// Connected, or being connected for the first time since it was, or known to be down.
#[derive(Clone)]
pub(super) enum State {
    /// Not tried yet, or lost a moment ago.
    Connecting,
    Up(Arc<Session>),
    Down(Arc<str>),
}

impl OrderedWatch<State> {
    /// End the connection of that number, if it is still the one in use. The next is waited for,
    /// unless the server is `down`.
    pub(super) fn give_up(&self, number: u64, down: Option<&str>) {
        self.change(|state| {
            let ours = matches!(state, State::Up(session) if session.number == number);
            if ours {
                *state = down.map_or(State::Connecting, |why| State::Down(why.into()));
            }
            ours
        });
    }

    /// Let nobody wait for a connection now.
    pub(super) fn set_down(&self, why: &str) {
        self.change(|state| {
            let waits = matches!(state, State::Connecting);
            if waits {
                *state = State::Down(why.into());
            }
            waits
        });
    }
}
