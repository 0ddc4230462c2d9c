//! What a band and a reader say to each other when they are near: the encrypted session of ISO/IEC 18013-5:2021 over
//! Bluetooth Low Energy. `no_std` with `alloc`; randomness and the transport are the caller's.
//!
//! ```text
//! band                                             reader
//! Band::by_nfc(key, service)
//!    | handover select message  -- NFC tap -->  Reader::by_nfc(message)
//!    |                                          Reader::establish(key, request)
//! Band::establish(message)  <-- SessionEstablishment -- |
//!    |                                                  |
//! Session::seal, open  <-------- SessionData ------> Session::seal, open
//! ```
//!
//! [`ble::Link`] carries these messages: it cuts them into chunks and puts them together again. Whatever is not as it
//! should be (changed, sent again, in another order, cut short) ends the session with a [`Code`].
//!
//! A nonce can't be used twice. Keys of a session come from two [`EphemeralKey`]s, which establishing consumes; the
//! counter that makes the nonces is in the half of a [`Session`] that seals, goes up before it is used, and ends the
//! session before it starts anew. None of these can be copied:
//!
//! ```compile_fail,E0382
//! # fn band(key: bandpass_proximity::EphemeralKey) {
//! use bandpass_proximity::Band;
//! let first = Band::by_nfc(key, [0; 16]);
//! let second = Band::by_nfc(key, [0; 16]);
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn band(band: bandpass_proximity::Band, message: &[u8]) {
//! let first = band.establish(message);
//! let second = band.establish(message);
//! # }
//! ```
//! ```compile_fail,E0599
//! # fn session(session: bandpass_proximity::Session) {
//! let copy = session.clone();
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking"))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod ble;
mod cbor;
mod cipher;
mod code;
mod engagement;
mod key;
mod message;
mod ndef;
mod session;
mod transcript;

pub use code::Code;
pub use engagement::{Band, Reader};
pub use key::EphemeralKey;
pub use session::{Received, Session};
