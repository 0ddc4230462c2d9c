//! The clock that the library reads: vectors are judged at times of their own, and it takes none as an argument.

use std::sync::atomic::{AtomicI64, Ordering};

static NOW: AtomicI64 = AtomicI64::new(0);

/// Seconds since 1970.
pub fn set(now: u64) {
    NOW.store(now.try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
}

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// Stands in for the function of that name in the C library, through which std asks the time.
///
/// # Safety
/// `time` points to a `timespec`, here of two 64-bit numbers.
#[cfg(target_pointer_width = "64")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(_clock: i32, time: *mut Timespec) -> i32 {
    unsafe { time.write(Timespec { seconds: NOW.load(Ordering::Relaxed), nanoseconds: 0 }) };
    0
}
