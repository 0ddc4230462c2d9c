//! ECDSA over P-256 (FIPS 186-5, section 6.4), verification only, of public data only.
//!
//! How long it takes depends on the key, the message and the signature: whoever measures it learns them. So what is
//! verified here must be no secret, and the arithmetic must never be used to sign, or to agree on a key. In return it
//! is several times as fast as arithmetic in constant time, in plain portable WebAssembly as well as natively.
//! `docs/es256.md` explains it.
//!
//! No signature is refused for its s being high: ES256 (RFC 7518, section 3.4) knows no such rule. `no_std`, without
//! `alloc`.
#![no_std]
#![forbid(unsafe_code)]
#![expect(clippy::inline_always, reason = "nine limbs are to stay in registers, even where size is optimised for")]
#![expect(clippy::many_single_char_names, reason = "the formulas' own")]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking"))]

#[cfg(test)]
extern crate std;

mod field;
mod generator;
mod inverse;
mod limb;
mod multiples;
mod point;
mod scalar;
#[cfg(test)]
mod tests;

use field::Field;
use generator::{TIMES_1, TIMES_64, TIMES_128, TIMES_192};
use limb::{is_less, unpack, words};
use multiples::{Tables, Term, odd_multiples, quarters, sum, tables};
use point::{Affine, Jacobian};
use scalar::N;

/// A public key: a point of P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(Affine);

impl PublicKey {
    /// The key with these coordinates, each 32 octets, the highest first. None unless both are below p and the point is
    /// on the curve (SP 800-56A, section 5.6.2.3.4; the order of the curve is prime, so that is all).
    #[must_use]
    pub fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        Affine::from_integers(&words(x), &words(y)).map(Self)
    }

    /// The key at an uncompressed point (SEC 1, section 2.3.3): 4, and the coordinates. None if it is anything else.
    #[must_use]
    pub fn from_sec1(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_first_chunk()?;
        Self::from_coordinates(x, y.try_into().ok()?)
    }

    /// Whether `signature` (r, then s, 32 octets each) is this key's over a message with this digest, in variable time.
    #[must_use]
    pub fn verify_vartime(&self, prehash: &[u8; 32], signature: &[u8; 64]) -> bool {
        let Some(Equation { u1, u2, r }) = Equation::of(prehash, signature) else { return false };
        let key = odd_multiples::<8>(&self.0);
        has_x(sum(&[Term::new(u1, 6, &TIMES_1), Term::new(u2, 5, &key)]), r)
    }
}

/// A key with tables, with which it verifies about twice as fast. They take 4 KiB, and about as long to make as one
/// signature to verify: for keys that verify many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrecomputedKey(Tables);

impl PrecomputedKey {
    /// As [`PublicKey::verify_vartime`].
    #[must_use]
    pub fn verify_vartime(&self, prehash: &[u8; 32], signature: &[u8; 64]) -> bool {
        let Some(Equation { u1, u2, r }) = Equation::of(prehash, signature) else { return false };
        let ([a, b, c, d], [e, f, g, h]) = (quarters(u1, GENERATOR), quarters(u2, self.0.each_ref()));
        has_x(sum(&[a, b, c, d, e, f, g, h]), r)
    }
}

impl From<&PublicKey> for PrecomputedKey {
    fn from(key: &PublicKey) -> Self {
        Self(tables(&key.0))
    }
}

/// Those of the generator.
const GENERATOR: [&[Affine; 16]; 4] = [&TIMES_1, &TIMES_64, &TIMES_128, &TIMES_192];

/// What a signature claims (SEC 1, section 4.1.4): u1 times the generator and u2 times the key make a point whose x is
/// r modulo n.
struct Equation {
    u1: [u64; 4],
    u2: [u64; 4],
    r: [u64; 4],
}

impl Equation {
    /// None unless r and s are from 1 to n - 1.
    fn of(prehash: &[u8; 32], signature: &[u8; 64]) -> Option<Self> {
        let (r, s) = signature.split_first_chunk()?;
        let (r, s) = (words(r), words(s.try_into().ok()?));
        if !scalar::is_scalar(&r) || !scalar::is_scalar(&s) {
            return None;
        }
        let [u1, u2] = scalar::quotients([words(prehash), r], s);
        Some(Self { u1, u2, r })
    }
}

/// Whether it is a point whose x, an integer below p, is r modulo n.
fn has_x(point: Option<Jacobian>, r: [u64; 4]) -> bool {
    /// p - n.
    const ABOVE: [u64; 4] = [0x0c46_353d_039c_daae, 0x4319_0553_58e8_617b, 0, 0];
    let Some(point) = point else { return false };
    let mut x = unpack(r);
    if point.has_x(Field::of(x)) {
        return true;
    }
    x.iter_mut().zip(unpack(N)).for_each(|(limb, n)| *limb += n);
    is_less(&r, &ABOVE) && point.has_x(Field::of(x))
}
