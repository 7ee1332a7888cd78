//! The thread that talks to servers, one a process.

use std::cell::Cell;
use std::mem::forget;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use crate::store::fork::locked_now;

static THREAD: Mutex<Option<Handle>> = Mutex::new(None);

/// The runtime of this process's thread, which is started when first needed.
///
/// # Errors
/// When the system gives no thread or no descriptors.
pub fn handle() -> std::io::Result<Handle> {
    let mut thread = locked_now(&THREAD);
    if let Some(handle) = &*thread {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let name = String::from("sluicegate-io");
    thread::Builder::new()
        .name(name)
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *thread = Some(handle.clone());
    Ok(handle)
}

/// How many forks lie between this process and the first one that used a server.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Changes in a forked child: what was made in another generation is not to be touched.
#[must_use]
pub fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// That thread pauses within a turn; one that takes longer is stuck, and not waited for.
const PAUSED_WITHIN: Duration = Duration::from_secs(1);

/// Lets the paused thread go on when the last of them is dropped.
type Pause = Arc<Sender<()>>;

/// The pause that is under way: a second thread that forks meanwhile takes part in it.
static PAUSE: Mutex<Weak<Sender<()>>> = Mutex::new(Weak::new());

thread_local! {
    static PAUSED: Cell<Option<Pause>> = const { Cell::new(None) };
}

/// Before a fork: have that thread pause between two tasks, where it holds no lock that a child
/// would find held for ever.
///
/// The thread that forks calls this and then [`after_fork_in_parent`] or [`after_fork_in_child`].
pub fn before_fork() {
    let Some(handle) = locked_now(&THREAD).clone() else {
        return;
    };
    let mut under_way = locked_now(&PAUSE);
    let pause = under_way.upgrade().unwrap_or_else(|| pause(&handle));
    *under_way = Arc::downgrade(&pause);
    PAUSED.set(Some(pause));
}

fn pause(thread: &Handle) -> Pause {
    let (tell, told) = channel();
    let (go_on, waits) = channel::<()>();
    thread.spawn(async move {
        let _ = tell.send(());
        // Ends with an error when the other end is dropped.
        let _ = waits.recv();
    });
    let _ = told.recv_timeout(PAUSED_WITHIN);
    Arc::new(go_on)
}

/// In the parent, after the fork.
pub fn after_fork_in_parent() {
    PAUSED.take();
}

/// In a forked child, where that thread is not: it makes its own when it needs one.
pub(super) fn after_fork_in_child() {
    // What belongs to the parent's thread is left alone: to drop it would wake that thread.
    forget(PAUSED.take());
    *locked_now(&PAUSE) = Weak::new();
    forget(locked_now(&THREAD).take());
    GENERATION.fetch_add(1, Relaxed);
}
