//! Ephemeral keys (ISO/IEC 18013-5:2021, 9.1.1.4).

use alloc::vec::Vec;
use core::fmt;

use p256::ecdh::SharedSecret;
use p256::elliptic_curve::rand_core::CryptoRng;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::{PublicKey, SecretKey};

use crate::cbor::{self, Map};

/// A P-256 key pair for one session. It can be neither copied nor read: establishing a session consumes it.
pub struct EphemeralKey(SecretKey);

impl EphemeralKey {
    /// A fresh key. The generator has to be one for cryptography, and never in the same state twice.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        // Not by p256, which takes the generator's bytes in an order of its own: vectors give them as the key.
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *bytes);
            if let Ok(key) = SecretKey::from_slice(&*bytes) {
                return Self(key);
            }
        }
    }

    /// Its public half as `COSE_Key`.
    pub(crate) fn cose_key(&self) -> Vec<u8> {
        let point = self.0.public_key().to_sec1_point(false);
        cbor::encoded(|cbor| {
            cbor.map(4)?.u8(1)?.u8(2)?.i8(-1)?.u8(1)?;
            for (label, coordinate) in [(-2, point.x()), (-3, point.y())] {
                cbor.i8(label)?.bytes(coordinate.map_or(&[][..], |coordinate| coordinate))?;
            }
            Ok(())
        })
    }

    pub(crate) fn agree(&self, other: &PublicKey) -> SharedSecret {
        p256::ecdh::diffie_hellman(self.0.to_nonzero_scalar(), other.as_affine())
    }

    pub(crate) fn into_bytes(self) -> [u8; 32] {
        self.0.to_bytes().into()
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralKey").finish_non_exhaustive()
    }
}

/// The point of a `COSE_Key`: `kty` EC2, `crv` P-256, both coordinates, and no other member.
pub(crate) fn public_key(cose_key: &[u8]) -> Option<PublicKey> {
    let key = Map::read(cose_key).filter(|key| key.len() == 4)?;
    let coordinate = |label: &[u8]| key.get(label).and_then(cbor::bytes).filter(|bytes| bytes.len() == 32);
    if key.get(&[1])? != [2] || key.get(&[0x20])? != [1] {
        return None;
    }
    PublicKey::from_sec1_bytes(&[&[4], coordinate(&[0x21])?, coordinate(&[0x22])?].concat()).ok()
}
