//! The session as band and reader see it.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod annex_d;
mod engagement;
mod link;
mod nonces;
mod page;
mod refusals;
mod vectors;

use std::convert::Infallible;

use bandpass_proximity::{Band, EphemeralKey, Reader, Session};
use p256::elliptic_curve::rand_core::{TryCryptoRng, TryRng};

/// The service that bands of tests have.
const SERVICE: [u8; 16] = *b"0123456789abcdef";

/// A generator that gives a key which is known.
struct Known<'a>(&'a [u8]);

impl TryRng for Known<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("keys are filled")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("keys are filled")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let (given, left) = self.0.split_at(bytes.len());
        bytes.copy_from_slice(given);
        self.0 = left;
        Ok(())
    }
}

impl TryCryptoRng for Known<'_> {}

fn key(bytes: &[u8]) -> EphemeralKey {
    EphemeralKey::generate(&mut Known(bytes))
}

fn band_and_reader() -> (Band, Reader) {
    let band = Band::by_nfc(key(&[1; 32]), SERVICE);
    let reader = Reader::by_nfc(band.handover_select().expect("a tap"), None).expect("an engagement");
    (band, reader)
}

/// A band and a reader, and the message between them.
fn established() -> (Session, Session, Vec<u8>) {
    let (band, reader) = band_and_reader();
    let (reader, message) = reader.establish(key(&[2; 32]), b"request").expect("a message");
    let (band, request) = band.establish(&message).expect("a session");
    assert_eq!(request, b"request");
    (band, reader, message)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect()
}
