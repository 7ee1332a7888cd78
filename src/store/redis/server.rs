//! The servers: how requests get to the one that is in charge of their key, and back.

mod address;
mod cluster;
mod connect;
mod connection;
mod io_thread;
mod meaning;
mod notices;
mod ordered_watch;
mod outbox;
mod route;
mod routes;
mod session;
mod settings;
mod slots;
mod state;
mod stream;
mod supervise;
mod tls;

pub use io_thread::{after_fork_in_parent, before_fork, generation, handle};

pub(in crate::store::redis) use notices::SILENCE;
pub use notices::{notice, take_notices};
pub use route::Route;
pub use routes::{RouteUse, after_fork_in_child};
pub use settings::{Settings, Tls, Topology};
