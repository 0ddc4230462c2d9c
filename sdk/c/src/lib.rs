//! The verifier, and the encrypted session between band and reader, for C and all that calls C. README.md beside this
//! is for those who call it; `include/bandpass.h` is made of these functions.
//!
//! Every pointer that comes from C is a type of Rust that may be null: handles are `Option<&Handle>`, what a function
//! hands out goes to an `Option<&mut MaybeUninit<..>>`. So what is written here is safe code; where it takes the
//! caller's word, for the bytes of a view and the text of a code, is in one module. Rust can't reach these functions:
//! nothing would hold it to what a caller in C promises.
#![deny(clippy::undocumented_unsafe_blocks)]
#![expect(unsafe_code, reason = "names that C can link are said to be unsafe; blocks are in `border` alone")]
#![expect(unreachable_pub, reason = "C reaches it, and cbindgen looks for it")]

mod border;
mod code;
mod link;
mod request;
mod session;
mod verifier;

pub use code::Code;
