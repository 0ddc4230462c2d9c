//! Where C ends: what comes in is looked at, what goes out is handed over, and no panic passes.

use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::{ptr, slice};

use crate::code::Code;

/// Null: it was done. Otherwise why it was not: a code such as `holder.nonce`, which stays as it is, and is never
/// freed.
pub type Refusal = *const c_char;

/// Bytes that belong to somebody else, who keeps them as they are for as long as they are looked at. Where `length`
/// is 0, `data` may be null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct View {
    data: *const c_void,
    /// In bytes.
    length: usize,
}

impl View {
    pub(crate) fn get(&self) -> Result<&[u8], Code> {
        match self.length {
            0 => Ok(&[]),
            _ if self.data.is_null() => Err(Code::Null),
            length if isize::try_from(length).is_err() => Err(Code::Length),
            // SAFETY: nothing in Rust makes a view and passes it in. A caller in C promises that there are so many
            // bytes, and that nobody changes or frees them meanwhile. They are not null, nor too many.
            length => Ok(unsafe { slice::from_raw_parts(self.data.cast(), length) }),
        }
    }

    /// None if `data` is null, and `length` 0.
    pub(crate) fn get_any(&self) -> Result<Option<&[u8]>, Code> {
        let bytes = self.get()?;
        Ok((!self.data.is_null()).then_some(bytes))
    }

    /// As many as it takes.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], Code> {
        self.get()?.try_into().map_err(|_| Code::Length)
    }
}

/// The text of a code that a function here returned; null is none.
pub(crate) fn text<'a>(refusal: Refusal) -> Option<&'a CStr> {
    // SAFETY: a caller promises that it is null, or a text with a zero at its end, which codes are.
    (!refusal.is_null()).then(|| unsafe { CStr::from_ptr(refusal) })
}

/// Bytes that were handed out. They belong to the caller, and are freed by `bandpass_bytes_free`.
#[derive(Debug)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let mut bytes = bytes.into();
        bytes.push(0);
        Self(bytes)
    }
}

/// What they are, until they are freed; nothing, of null. A zero stands behind them, so that text can be printed.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_bytes_view(bytes: Option<&Bytes>) -> View {
    let all = bytes.map_or(&[][..], |bytes| &bytes.0);
    match all.split_last() {
        Some((_, bytes)) => View { data: all.as_ptr().cast(), length: bytes.len() },
        None => View { data: ptr::null(), length: 0 },
    }
}

/// Frees them, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_bytes_free(bytes: Option<&mut Option<Box<Bytes>>>) {
    free(bytes);
}

/// What is behind a handle: nothing once it was used up. After a panic nobody gets at it any more.
#[derive(Debug)]
pub(crate) struct Held<T>(Mutex<Option<T>>);

impl<T: Send> Held<T> {
    pub(crate) fn new(held: T) -> Self {
        Self(Mutex::new(Some(held)))
    }

    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Result<R, Code> {
        let mut held = self.0.lock().map_err(|_| Code::Panic)?;
        held.as_mut().map(work).ok_or(Code::Used)
    }

    /// Uses it up.
    pub(crate) fn take(&self) -> Result<T, Code> {
        self.0.lock().map_err(|_| Code::Panic)?.take().ok_or(Code::Used)
    }
}

/// Why something was not done: any of the codes.
pub(crate) struct Why(&'static CStr);

impl From<Code> for Why {
    fn from(code: Code) -> Self {
        Self(code.as_c_str())
    }
}

impl From<bandpass_core::Code> for Why {
    fn from(code: bandpass_core::Code) -> Self {
        Self(code.as_c_str())
    }
}

impl From<bandpass_proximity::Code> for Why {
    fn from(code: bandpass_proximity::Code) -> Self {
        Self(code.as_c_str())
    }
}

/// Does what a function does, and makes a code of a panic.
pub(crate) fn guarded(work: impl FnOnce() -> Result<(), Why>) -> Refusal {
    // What a panic leaves behind is in handles, and they are not used again.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => ptr::null(),
        Ok(Err(Why(code))) => code.as_ptr(),
        Err(_) => Code::Panic.as_c_str().as_ptr(),
    }
}

/// A place where something is handed out. It holds nothing until then.
pub(crate) struct Slot<'a, T>(&'a mut Option<Box<T>>);

impl<'a, T> Slot<'a, T> {
    pub(crate) fn new(place: Option<&'a mut MaybeUninit<Option<Box<T>>>>) -> Result<Self, Code> {
        Ok(Self(place.ok_or(Code::Null)?.write(None)))
    }

    pub(crate) fn fill(self, made: T) {
        *self.0 = Some(Box::new(made));
    }
}

pub(crate) fn free<T>(place: Option<&mut Option<Box<T>>>) {
    guarded(|| {
        drop(place.and_then(Option::take));
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(refusal: Refusal) -> Option<&'static str> {
        text(refusal).map(|code| code.to_str().expect("UTF-8"))
    }

    #[test]
    fn a_panic_is_a_code_and_its_handle_is_not_used_again() {
        let held = Held::new(0);
        let use_it = |work: fn(&mut i32)| guarded(|| Ok(held.with(work)?));
        assert_eq!(code(use_it(|held| *held += 1)), None);
        assert_eq!(code(use_it(|_| panic!("a mistake"))), Some("c.panic"));
        assert_eq!(code(use_it(|_| unreachable!("it is poisoned"))), Some("c.panic"));
        assert_eq!(held.take(), Err(Code::Panic));
    }
}
