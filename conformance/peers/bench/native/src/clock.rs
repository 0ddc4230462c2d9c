//! The time of day, for libraries that take none as an argument: it stands still where the vector is judged. What measures
//! goes on.
#![expect(unsafe_code, reason = "a function of the C library")]

use std::sync::atomic::{AtomicI64, Ordering};

use libc::{CLOCK_REALTIME, SYS_clock_gettime, c_int, clockid_t, syscall, timespec};

static NOW: AtomicI64 = AtomicI64::new(0);

/// Seconds since 1970.
pub(crate) fn stop_at(now: i64) {
    NOW.store(now, Ordering::Relaxed);
}

/// Stands in for the function of that name in the C library, through which std asks the time.
///
/// # Safety
/// `time` points to a `timespec`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if clock != CLOCK_REALTIME {
        return c_int::from(unsafe { syscall(SYS_clock_gettime, clock, time) } != 0);
    }
    unsafe { time.write(timespec { tv_sec: NOW.load(Ordering::Relaxed), tv_nsec: 0 }) };
    0
}
