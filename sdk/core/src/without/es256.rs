//! ES256 (RFC 7518, section 3.4) by p256, the reference for `bandpass-es256`.

use p256::AffinePoint;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::point::AffineCoordinates as _;

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(VerifyingKey);

impl Key {
    /// None if the point is not on the curve.
    pub(crate) fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let point: Option<AffinePoint> = AffinePoint::from_coordinates(&(*x).into(), &(*y).into()).into();
        VerifyingKey::from_affine(point?).ok().map(Self)
    }

    /// Whether `signature`, r and s, 32 bytes each, is this key's.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

/// p256 computes nothing beforehand.
pub(crate) type PrecomputedKey = Key;

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        *key
    }
}
