//! Limits whose state is in Redis: one script, one key and one round trip a decision.
//!
//! Requests come in batches from any thread, are carried by one thread of ours over one supervised
//! connection a server ([`server`]), and are settled by their [`Sink`].

mod answer;
mod bounds;
mod counts;
mod denial_cache;
mod encoded;
mod fallback;
mod gate_script;
mod key;
mod leases;
mod limiter;
mod listed;
mod receipts;
mod request;
mod run;
mod script;
mod server;
mod sought;
mod uncharged;

pub use answer::{Answer, Failure, Reply, Several, Sink};
pub use counts::{Counts, RedisStatistics};
pub use encoded::{EncodedQuota, Told, Verb, Words};
pub use fallback::stand_in;
pub use gate_script::GATE;
pub use key::KeyNames;
pub use leases::{Due, Holders};
pub use limiter::{OnError, Part, RedisLimiter};
pub use request::{Request, Work};
pub use run::Run;
pub use script::Script;
pub use server::{
    Route, RouteUse, Settings, Tls, Topology, after_fork_in_child, after_fork_in_parent,
    before_fork, generation, handle, notice, take_notices,
};
pub use sought::Sought;
