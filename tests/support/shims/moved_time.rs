//! A wall clock that a test moves, for a process that is started with this library preloaded.
//!
//! `MOVED_TIME_FILE` names a file of two native 64-bit integers: the time to show in microseconds
//! since 1970 (`i64::MIN`: the real one), and microseconds to add to the real one. The file is
//! mapped, so that what a test writes is seen by the next call. Every other clock is the kernel's.

use std::ffi::{c_char, c_int, c_long, c_void, CStr};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

#[repr(C)]
pub struct Timeval {
    seconds: i64,
    microseconds: i64,
}

#[repr(C)]
struct Moved {
    frozen: AtomicI64,
    offset: AtomicI64,
}

extern "C" {
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn close(descriptor: c_int) -> c_int;
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        descriptor: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn syscall(number: c_long, ...) -> c_long;
}

#[cfg(target_arch = "x86_64")]
const SYS_CLOCK_GETTIME: c_long = 228;
#[cfg(target_arch = "aarch64")]
const SYS_CLOCK_GETTIME: c_long = 113;

const CLOCK_REALTIME: c_int = 0;
const PROT_READ: c_int = 1;
const MAP_SHARED: c_int = 1;
const O_RDONLY: c_int = 0;

static MOVED: AtomicPtr<Moved> = AtomicPtr::new(null_mut());

// Runs before main. Nothing here allocates: the program's allocator may read the clock.
extern "C" fn map_the_file() {
    const NAME: &CStr = c"MOVED_TIME_FILE";
    unsafe {
        let path = getenv(NAME.as_ptr());
        if path.is_null() {
            return;
        }
        let descriptor = open(path, O_RDONLY);
        if descriptor < 0 {
            return;
        }
        let length = size_of::<Moved>();
        let page = mmap(null_mut(), length, PROT_READ, MAP_SHARED, descriptor, 0);
        close(descriptor);
        if page as isize != -1 {
            MOVED.store(page.cast(), Ordering::Release);
        }
    }
}

#[used]
#[link_section = ".init_array"]
static BEFORE_MAIN: extern "C" fn() = map_the_file;

fn kernel(clock: c_int, time: *mut Timespec) -> c_int {
    unsafe { syscall(SYS_CLOCK_GETTIME, clock, time) as c_int }
}

fn wall() -> Timespec {
    let mut time = Timespec {
        seconds: 0,
        nanoseconds: 0,
    };
    kernel(CLOCK_REALTIME, &mut time);
    let Some(moved) = (unsafe { MOVED.load(Ordering::Acquire).as_ref() }) else {
        return time;
    };
    let frozen = moved.frozen.load(Ordering::Acquire);
    let micros = if frozen == i64::MIN {
        time.seconds * 1_000_000 + time.nanoseconds / 1_000 + moved.offset.load(Ordering::Acquire)
    } else {
        frozen
    };
    Timespec {
        seconds: micros.div_euclid(1_000_000),
        nanoseconds: micros.rem_euclid(1_000_000) * 1_000,
    }
}

/// # Safety
/// As the C library's: `time` points to a timespec.
#[no_mangle]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    if clock != CLOCK_REALTIME {
        return kernel(clock, time);
    }
    unsafe { time.write(wall()) };
    0
}

/// # Safety
/// As the C library's: `time` is null or points to a timeval. The time zone is left alone.
#[no_mangle]
pub unsafe extern "C" fn gettimeofday(time: *mut Timeval, _zone: *mut c_void) -> c_int {
    if !time.is_null() {
        let wall = wall();
        let microseconds = wall.nanoseconds / 1_000;
        unsafe {
            time.write(Timeval {
                seconds: wall.seconds,
                microseconds,
            })
        };
    }
    0
}

/// # Safety
/// As the C library's: `seconds` is null or points to a `time_t`.
#[no_mangle]
pub unsafe extern "C" fn time(seconds: *mut i64) -> i64 {
    let now = wall().seconds;
    if !seconds.is_null() {
        unsafe { seconds.write(now) };
    }
    now
}
