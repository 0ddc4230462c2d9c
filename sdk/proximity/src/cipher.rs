//! AES-256-GCM with counters (ISO/IEC 18013-5:2021, 9.1.1.5).

use alloc::vec::Vec;

use aes_gcm::aead::{Aead as _, Nonce};
use aes_gcm::{Aes256Gcm, KeyInit as _};

use crate::code::Code;

/// Who encrypts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Band,
    Reader,
}

/// The nonces of one direction. There is no way to make the same one twice: this is no `Clone`, and the counter goes up
/// before it is used.
struct Nonces {
    side: Side,
    last: u32,
}

impl Nonces {
    fn next(&mut self) -> Result<Nonce<Aes256Gcm>, Code> {
        self.last = self.last.checked_add(1).ok_or(Code::Exhausted)?;
        let identifier = u64::from(self.side == Side::Band);
        let mut nonce = Nonce::<Aes256Gcm>::default();
        let (first, second) = nonce.split_at_mut(8);
        first.copy_from_slice(&identifier.to_be_bytes());
        second.copy_from_slice(&self.last.to_be_bytes());
        Ok(nonce)
    }
}

/// One direction: its key and its nonces.
struct Direction {
    cipher: Aes256Gcm,
    nonces: Nonces,
}

impl Direction {
    fn new(side: Side, key: &[u8; 32]) -> Self {
        Self { cipher: Aes256Gcm::new(key.into()), nonces: Nonces { side, last: 0 } }
    }
}

/// What encrypts.
pub(crate) struct Sealing(Direction);

impl Sealing {
    pub(crate) fn new(side: Side, key: &[u8; 32]) -> Self {
        Self(Direction::new(side, key))
    }

    pub(crate) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, Code> {
        let nonce = self.0.nonces.next()?;
        self.0.cipher.encrypt(&nonce, plain).map_err(|_| Code::TooLarge)
    }
}

/// What decrypts: each message in its turn, once.
pub(crate) struct Opening(Direction);

impl Opening {
    /// `side` is the one that encrypts.
    pub(crate) fn new(side: Side, key: &[u8; 32]) -> Self {
        Self(Direction::new(side, key))
    }

    pub(crate) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Code> {
        let nonce = self.0.nonces.next()?;
        self.0.cipher.decrypt(&nonce, sealed).map_err(|_| Code::Encryption)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_end_before_they_repeat() {
        let mut sealing = Sealing::new(Side::Band, &[1; 32]);
        let mut opening = Opening::new(Side::Band, &[1; 32]);
        (sealing.0.nonces.last, opening.0.nonces.last) = (u32::MAX - 1, u32::MAX - 1);
        let last = sealing.seal(b"the last").expect("one is left");
        assert_eq!(opening.open(&last).expect("one is left"), b"the last");
        for _ in 0..2 {
            assert_eq!(sealing.seal(b"x").expect_err("none is left"), Code::Exhausted);
            assert_eq!(opening.open(&last).expect_err("none is left"), Code::Exhausted);
        }
    }

    #[test]
    fn nonces_are_as_the_standard_says() {
        let nonces = |side| Nonces { side, last: 0x0102_0303 }.next().expect("one is left").to_vec();
        assert_eq!(nonces(Side::Reader), [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(nonces(Side::Band), [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]);
        assert_eq!(Nonces { side: Side::Band, last: 0 }.next().expect("the first")[8..], [0, 0, 0, 1]);
    }
}
