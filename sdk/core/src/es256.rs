//! ES256 (RFC 7518, section 3.4): ECDSA over P-256 and SHA-256.

use alloc::boxed::Box;

use crate::encoding::sha256;

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(bandpass_es256::PublicKey);

impl Key {
    /// None if the point is not on the curve.
    pub(crate) fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        bandpass_es256::PublicKey::from_coordinates(x, y).map(Self)
    }

    /// Whether `signature`, r and s, 32 bytes each, is this key's. What is verified is public, so the time may tell of
    /// it.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| self.0.verify_vartime(&sha256(message), signature))
    }
}

/// A public key that verifies in half the time, with tables of 4 KiB that take about one verification to make.
#[derive(Clone, Debug)]
pub(crate) struct PrecomputedKey(Box<bandpass_es256::PrecomputedKey>);

impl From<&Key> for PrecomputedKey {
    fn from(key: &Key) -> Self {
        Self(Box::new(bandpass_es256::PrecomputedKey::from(&key.0)))
    }
}

impl PrecomputedKey {
    /// As [`Key::verifies`].
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| self.0.verify_vartime(&sha256(message), signature))
    }
}
