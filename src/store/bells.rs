//! The bells of those who wait in an event loop.
//!
//! Ringing notes a number and writes a byte to a socket that the loop listens to. It needs no
//! interpreter, so nothing of it can fail, and any thread may ring, in a destructor too.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{ThreadId, current};

use super::Wake;
use super::fork::locked_now;
use crate::fork::{self, Forks, Held, HeldLock};

/// One event loop's bells. The loop's thread alone answers them.
pub struct Bells {
    rung: Mutex<Rung>,
    ear: UnixStream,
    clapper: UnixStream,
    open: AtomicBool,
}

#[derive(Default)]
struct Rung {
    bells: VecDeque<Arc<Ringing>>,
    /// A byte is in the socket, or about to be.
    told: bool,
}

/// One bell's state.
struct Ringing {
    number: u64,
    /// It is among those that were rung and not answered yet.
    noted: AtomicBool,
}

impl Bells {
    /// Bells that nobody has rung yet.
    ///
    /// # Errors
    /// When the system gives no descriptors.
    pub fn new() -> std::io::Result<Arc<Self>> {
        let (ear, clapper) = UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        clapper.set_nonblocking(true)?;
        let bells = Arc::new(Self {
            rung: Mutex::default(),
            ear,
            clapper,
            open: AtomicBool::new(true),
        });
        let weak = Arc::downgrade(&bells);
        fork::register(weak);
        Ok(bells)
    }

    /// The descriptor that is readable while there are bells to answer.
    #[must_use]
    pub fn descriptor(&self) -> i32 {
        self.ear.as_raw_fd()
    }

    /// The numbers of the bells that were rung, in order.
    #[must_use]
    pub fn rung(&self) -> Vec<u64> {
        let mut rung = locked_now(&self.rung);
        self.silence(&mut rung);
        rung.bells.iter().map(|bell| bell.number).collect()
    }

    /// The first of them has been answered. Until then the descriptor stays readable, so that
    /// whatever interrupts the answering loses none.
    pub fn answered(&self, number: u64) {
        let mut rung = locked_now(&self.rung);
        if let Some(bell) = rung.bells.front().filter(|bell| bell.number == number) {
            bell.noted.store(false, SeqCst);
            rung.bells.pop_front();
        }
        self.silence(&mut rung);
    }

    /// The loop is closed, or it is another process's: nobody answers any more.
    pub fn close(&self) {
        self.open.store(false, SeqCst);
    }

    /// Whether somebody answers.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(SeqCst)
    }

    /// Empty the socket if there is nothing to answer. A child must not empty its parent's.
    fn silence(&self, rung: &mut Rung) {
        if rung.bells.is_empty() && self.is_open() {
            rung.told = false;
            while matches!((&self.ear).read(&mut [0; 64]), Ok(64)) {}
        }
    }

    fn ring(&self, bell: &Arc<Ringing>) {
        let mut rung = locked_now(&self.rung);
        if !bell.noted.swap(true, SeqCst) {
            rung.bells.push_back(Arc::clone(bell));
        }
        // A socket that is full is readable.
        if !rung.told {
            rung.told = true;
            let _ = (&self.clapper).write(&[1]);
        }
    }
}

impl Forks for Bells {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(self, |bells| &bells.rung, |bells, _| bells.close())
    }
}

/// One waiter's bell.
pub struct Bell {
    bells: Arc<Bells>,
    ringing: Arc<Ringing>,
    thread: ThreadId,
}

impl Bell {
    /// The bell with this number, of a waiter in this thread.
    #[must_use]
    pub fn new(bells: Arc<Bells>, number: u64) -> Self {
        Self {
            bells,
            ringing: Arc::new(Ringing {
                number,
                noted: AtomicBool::new(false),
            }),
            thread: current().id(),
        }
    }
}

impl Wake for Bell {
    fn wake(&self) -> bool {
        if !self.bells.is_open() {
            return false;
        }
        self.bells.ring(&self.ringing);
        true
    }

    fn needs_this_thread(&self) -> bool {
        self.thread == current().id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(bells: &Bells) -> bool {
        let mut one = [0];
        let read = (&bells.ear).read(&mut one).is_ok();
        if read {
            let _ = (&bells.clapper).write(&one);
        }
        read
    }

    #[test]
    fn a_bell_is_heard_until_it_was_answered() {
        let bells = Bells::new().unwrap();
        let [one, two] = [1, 2].map(|number| Bell::new(Arc::clone(&bells), number));
        assert!(one.wake() && two.wake() && one.wake());
        assert_eq!(bells.rung(), [1, 2]);
        assert!(is_readable(&bells));
        bells.answered(1);
        assert!(is_readable(&bells));
        assert!(one.wake());
        assert_eq!(bells.rung(), [2, 1]);
        bells.answered(2);
        bells.answered(1);
        assert!(!is_readable(&bells) && bells.rung().is_empty());
        assert!(two.wake());
        assert!(is_readable(&bells));
    }

    #[test]
    fn nobody_answers_at_a_closed_loop() {
        let bells = Bells::new().unwrap();
        let bell = Bell::new(Arc::clone(&bells), 1);
        bells.close();
        assert!(!bell.wake() && bells.rung().is_empty() && !is_readable(&bells));
    }

    #[test]
    fn rings_from_many_threads_are_all_heard() {
        let bells = Bells::new().unwrap();
        let (most, mut heard) = (4_000, vec![0; 4]);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let bell = Bell::new(Arc::clone(&bells), number);
                scope.spawn(move || {
                    for _ in 0..most {
                        assert!(bell.wake());
                        while bell.ringing.noted.load(SeqCst) {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            while heard.iter().sum::<u64>() < 4 * most {
                if !is_readable(&bells) {
                    std::thread::yield_now();
                    continue;
                }
                for number in bells.rung() {
                    heard[number as usize] += 1;
                    bells.answered(number);
                }
            }
        });
        assert_eq!(heard, [most; 4]);
    }
}
