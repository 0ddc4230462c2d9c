//! ES256 (RFC 7518, section 3.4): ECDSA over P-256 and SHA-256.

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
