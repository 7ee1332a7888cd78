//! Preloaded into a process, this answers for its clocks. They stand still until moved.

use std::sync::atomic::{AtomicI64, Ordering};

const NANOS: i64 = 1_000_000_000;
static NOW: AtomicI64 = AtomicI64::new(1_699_999_980 * NANOS);

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanos: i64,
}

#[no_mangle]
pub unsafe extern "C" fn clock_gettime(_clock: i32, time: *mut Timespec) -> i32 {
    let now = NOW.load(Ordering::Relaxed);
    // The caller owns the place it asks to have filled.
    unsafe { time.write(Timespec { seconds: now / NANOS, nanos: now % NANOS }) };
    0
}

#[no_mangle]
pub extern "C" fn move_clock_to(nanos: i64) {
    NOW.store(nanos, Ordering::Relaxed);
}
