//! All keys of some limiters are forgotten: a walk through the keys of every primary.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, Value, cmd};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Connection, Route, Servers};
use crate::store::redis::answer::{Answer, Failure, Reply};
use crate::store::redis::request::{Request, Work};
use crate::store::redis::server::meaning::without_error;
use crate::store::redis::sought::Sought;

/// So many places of a server's table are looked at in one step, which takes it some 0.1 ms.
const STEP: usize = 500;
/// `DEL` frees what a key held before it answers: a log may have a million entries. So it has few at once.
const DELETED_AT_ONCE: usize = 20;

const SCAN: &str = "SCAN";
const UNLINK: &str = "UNLINK";
const DEL: &str = "DEL";

/// Keys to be forgotten.
struct Forget {
    command: &'static str,
    names: Vec<Vec<u8>>,
}

impl Work for Forget {
    fn name(&self) -> Vec<u8> {
        self.names[0].clone()
    }

    fn command(&self, _: bool) -> Cmd {
        let mut command = cmd(self.command);
        command.arg(&self.names);
        command
    }

    fn settle(&self, said: Result<Value, Failure>) -> Answer {
        said.map(Reply::Value)
    }
}

impl Route {
    /// Forget every key that is sought, each step within `timeout`. What comes into being meanwhile may stay.
    ///
    /// # Errors
    /// At the first step that fails, with its command; then some keys may be forgotten.
    pub async fn clear(&self, sought: &Sought, timeout: Duration) -> Result<(), Failure> {
        let (mut walked, mut command): (Vec<Arc<Connection>>, _) = (Vec::new(), UNLINK);
        loop {
            // Asked again each time: another may have come to be in charge.
            let primaries = self.primaries(Instant::now() + timeout).await;
            let mut primaries = primaries.map_err(|failure| failure.at(SCAN))?.into_iter();
            let is_new =
                |one: &Arc<Connection>| !walked.iter().any(|other| Arc::ptr_eq(one, other));
            let Some(primary) = primaries.find(is_new) else {
                return Ok(());
            };
            self.walk(&primary, sought, &mut command, timeout).await?;
            walked.push(primary);
        }
    }

    /// The same in a task of its own. `done` is told; not if it is aborted.
    pub fn begin_clear(
        self: &Arc<Self>,
        sought: Sought,
        timeout: Duration,
        done: impl FnOnce(Result<(), Failure>) + Send + 'static,
    ) -> AbortHandle {
        let route = Arc::clone(self);
        let walk = async move { done(route.clear(&sought, timeout).await) };
        self.handle.spawn(walk).abort_handle()
    }

    async fn primaries(&self, deadline: Instant) -> Result<Vec<Arc<Connection>>, Failure> {
        match &self.servers {
            Servers::One(connection) => Ok(vec![Arc::clone(connection)]),
            Servers::Cluster(cluster) => cluster.primaries(deadline).await,
        }
    }

    async fn walk(
        &self,
        primary: &Arc<Connection>,
        sought: &Sought,
        command: &mut &'static str,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let pattern = sought.pattern();
        let mut cursor = b"0".to_vec();
        let mut session = None;
        loop {
            let step = scanned(primary, &cursor, &pattern, Instant::now() + timeout).await;
            let (number, next, mut names) = step.map_err(|failure| failure.at(SCAN))?;
            if *session.get_or_insert(number) != number {
                // A cursor means something to the server alone that gave it, as long as it runs.
                let lost = Failure::Down("the connection was lost, and another made".into());
                return Err(lost.at(SCAN));
            }
            names.retain(|name| sought.has(name));
            self.forget(names, command, timeout).await?;
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Forget these keys, by whichever command this user may run.
    async fn forget(
        &self,
        names: Vec<Vec<u8>>,
        command: &mut &'static str,
        timeout: Duration,
    ) -> Result<(), Failure> {
        if *command == UNLINK {
            match self.forget_by(UNLINK, &names, timeout).await {
                Err(Failure::Refused(why)) if is_not_run(&why) => *command = DEL,
                done => return done.map_err(|failure| failure.at(UNLINK)),
            }
        }
        for some in names.chunks(DELETED_AT_ONCE) {
            let done = self.forget_by(DEL, some, timeout).await;
            done.map_err(|failure| failure.at("UNLINK or DEL"))?;
        }
        Ok(())
    }

    async fn forget_by(
        &self,
        command: &'static str,
        names: &[Vec<u8>],
        timeout: Duration,
    ) -> Result<(), Failure> {
        // In a cluster each of them is of another slot; and one that is being moved is sent on alone.
        let together = match self.servers {
            Servers::One(_) => names.len().max(1),
            Servers::Cluster(_) => 1,
        };
        let requests: Vec<_> = names
            .chunks(together)
            .map(|names| {
                let names = names.to_vec();
                Request::new(Forget { command, names }, timeout)
            })
            .collect();
        let mut done = Ok(());
        if !requests.is_empty() {
            let deadline = Instant::now() + timeout;
            self.run(&requests, deadline, |replies| {
                let each = replies.into_iter().map(|(_, said)| said);
                let failed = each.filter_map(|said| said.and_then(without_error).err());
                if let Some(failure) = failed.last() {
                    done = Err(failure);
                }
            })
            .await;
        }
        done
    }
}

/// Whether a server says that it does not run that command, for this user or at all.
fn is_not_run(why: &str) -> bool {
    why.starts_with("NOPERM") || why.contains("unknown command")
}

/// One step: by which connection it was made, where the next begins, and what was found.
async fn scanned(
    primary: &Arc<Connection>,
    cursor: &[u8],
    pattern: &[u8],
    deadline: Instant,
) -> Result<(u64, Vec<u8>, Vec<Vec<u8>>), Failure> {
    let scan = || {
        let mut pipeline = Pipeline::new();
        let command = pipeline.cmd(SCAN).arg(cursor);
        command.arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
        pipeline
    };
    let before = primary.session(deadline).await?;
    let mut replies = primary.send(scan, deadline).await?.into_iter();
    let found = without_error(replies.next().unwrap_or(Value::Nil))?;
    // If it is another one now, it may have been that one.
    let after = primary.session(deadline).await?;
    let number = if before == after { before } else { u64::MAX };
    let (next, names) = redis::from_redis_value(found).map_err(|_| Failure::not_understood())?;
    Ok((number, next, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_run_is_told_in_several_ways() {
        for why in [
            "NOPERM this user has no permissions to run the 'unlink' command",
            "NOPERM User app has no permissions to run the 'unlink' command",
            "ERR unknown command `UNLINK`, with args beginning with: `a`, ",
            "ERR unknown command 'UNLINK', with args beginning with: 'a' ",
        ] {
            assert!(is_not_run(why));
        }
        assert!(!is_not_run(
            "READONLY You can't write against a read only replica."
        ));
    }
}
