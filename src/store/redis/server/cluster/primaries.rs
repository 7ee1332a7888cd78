//! Which servers have keys.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Cluster, Connection, locked_now};
use crate::store::redis::answer::Failure;

impl Cluster {
    /// Those that are in charge of slots, as far as is known now.
    pub(in crate::store::redis::server) async fn primaries(
        &self,
        deadline: Instant,
    ) -> Result<Vec<Arc<Connection>>, Failure> {
        self.have_map(deadline).await?;
        let known = locked_now(&self.known);
        let mut primaries: Vec<Arc<Connection>> = Vec::new();
        for connection in known.slots.iter().flatten() {
            // Slots of one server follow one another, and they are few.
            if !primaries
                .iter()
                .rev()
                .any(|other| Arc::ptr_eq(other, connection))
            {
                primaries.push(Arc::clone(connection));
            }
        }
        Ok(primaries)
    }
}
