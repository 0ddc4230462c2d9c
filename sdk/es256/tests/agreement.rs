//! Agreement with p256 on random and on crafted signatures: 100,000, or as many as `ES256_CASES` says. Others with
//! another `ES256_SEED`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bandpass_es256::{PrecomputedKey, PublicKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::PrimeField as _;
use p256::elliptic_curve::ops::Reduce as _;
use p256::elliptic_curve::point::{AffineCoordinates as _, DecompressPoint as _};
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

type Number = [u8; 32];

const P: Number =
    *b"\xff\xff\xff\xff\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
const N: Number = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// p - n.
const ABOVE: Number = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x43, 0x19, 0x05, 0x53, 0x58, 0xe8, 0x61, 0x7b, 0x0c, 0x46, 0x35,
    0x3d, 0x03, 0x9c, 0xda, 0xae,
];
/// Cases that share a seed.
const BATCH: u64 = 1_000;

/// The number and `by` modulo 2^256.
fn plus(number: Number, by: i8) -> Number {
    let mut carry = i16::from(by);
    let mut sum = number;
    for octet in sum.iter_mut().rev() {
        let value = i16::from(*octet) + carry;
        carry = value >> 8;
        *octet = value.to_le_bytes()[0];
    }
    sum
}

/// A number below 2^256 modulo n.
fn scalar(number: Number) -> Scalar {
    Scalar::reduce(&FieldBytes::from(number))
}

fn is_zero(scalar: Scalar) -> bool {
    scalar == Scalar::ZERO
}

fn inverse(scalar: Scalar) -> Scalar {
    scalar.invert().into_option().expect("not zero")
}

fn number(scalar: Scalar) -> Number {
    scalar.to_repr().into()
}

struct Key {
    theirs: VerifyingKey,
    ours: PublicKey,
    /// Of keys that verify more than once.
    precomputed: Option<PrecomputedKey>,
}

impl Key {
    fn of(point: ProjectivePoint) -> Option<Self> {
        let theirs = VerifyingKey::from_affine(point.to_affine()).ok()?;
        let ours = PublicKey::from_sec1(theirs.to_sec1_point(false).as_bytes()).expect("on the curve");
        Some(Self { theirs, ours, precomputed: None })
    }
}

/// What is verified, and whether it must be valid, where that is known.
struct Case {
    prehash: Number,
    r: Number,
    s: Number,
    is_valid: Option<bool>,
}

impl Case {
    fn of(prehash: Scalar, r: Scalar, s: Scalar, is_valid: bool) -> Self {
        Self { prehash: number(prehash), r: number(r), s: number(s), is_valid: Some(is_valid) }
    }

    /// Holds both to the same verdict.
    fn verify(&self, key: &Key) -> bool {
        let Self { prehash, r, s, is_valid } = self;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(r);
        signature[32..].copy_from_slice(s);
        let parsed = Signature::from_slice(&signature);
        let valid = parsed.is_ok_and(|signature| key.theirs.verify_prehash(prehash, &signature).is_ok());
        let told = || format!("key {:02x?}, prehash {prehash:02x?}, r {r:02x?}, s {s:02x?}", key.theirs);
        assert!(is_valid.is_none_or(|is_valid| is_valid == valid), "p256: {}", told());
        assert_eq!(key.ours.verify_vartime(prehash, &signature), valid, "{}", told());
        if let Some(precomputed) = &key.precomputed {
            assert_eq!(precomputed.verify_vartime(prehash, &signature), valid, "precomputed: {}", told());
        }
        valid
    }
}

struct Source(ChaCha12Rng);

impl Source {
    fn below(&mut self, limit: u32) -> u32 {
        self.0.next_u32() % limit
    }

    /// A number near one that has a meaning, or a random one.
    fn number(&mut self) -> Number {
        let by = i8::try_from(self.below(65)).expect("small") - 32;
        let mut random = [0; 32];
        self.0.fill_bytes(&mut random);
        let mut power = [0; 32];
        power[usize::from(random[0] % 32)] = 1 << (random[1] % 8);
        match self.below(8) {
            0 => plus([0; 32], by),
            1 => plus(N, by),
            2 => plus(P, by),
            3 => plus(ABOVE, by),
            4 | 5 => plus(power, by),
            _ => random,
        }
    }

    /// Such a number modulo n, but not zero.
    fn scalar(&mut self) -> Scalar {
        loop {
            let chosen = scalar(self.number());
            if !is_zero(chosen) {
                return chosen;
            }
        }
    }

    /// Numbers of which a signature is hardly ever valid.
    fn any(&mut self) -> Case {
        Case { prehash: self.number(), r: self.number(), s: self.number(), is_valid: None }
    }

    /// A signature for which the multiples of generator and key were chosen: in one of sixteen cases they are opposite,
    /// and it is not valid, in as many the first is zero.
    fn chosen(&mut self, secret: Scalar) -> Case {
        let u2 = self.scalar();
        let u1 = match self.below(16) {
            0 => -(u2 * secret),
            1 => Scalar::ZERO,
            2 => u2 * secret,
            _ => self.scalar(),
        };
        let point = (ProjectivePoint::GENERATOR * (u1 + u2 * secret)).to_affine();
        let is_point = point != AffinePoint::IDENTITY;
        let r = if is_point { scalar(point.x().into()) } else { self.scalar() };
        if is_zero(r) {
            return self.any();
        }
        let s = r * inverse(u2);
        Case::of(u1 * s, r, s, is_point)
    }

    /// A point whose x was chosen, and a key with which it comes out.
    fn recovered(&mut self) -> Option<(Key, Case)> {
        let (x, is_odd) = (self.number(), u8::from(self.below(2) == 1));
        let point = ProjectivePoint::from(AffinePoint::decompress(&x.into(), is_odd.into()).into_option()?);
        let (r, s, prehash) = (scalar(x), self.scalar(), self.scalar());
        if is_zero(r) {
            return None;
        }
        let key = Key::of((point * s - ProjectivePoint::GENERATOR * prehash) * inverse(r))?;
        Some((key, Case::of(prehash, r, s, true)))
    }

    /// With another bit somewhere, or the other s, which is as good.
    fn changed(&mut self, mut case: Case) -> Case {
        let (octet, bit) = (self.below(128), self.below(8));
        let octets = case.prehash.iter_mut().chain(&mut case.r).chain(&mut case.s);
        octets.zip(0..).filter(|(_, index)| *index == octet).for_each(|(octet, _)| *octet ^= 1 << bit);
        if octet < 96 {
            case.is_valid = None;
        } else {
            case.s = number(-scalar(case.s));
        }
        case
    }
}

/// Verifies an even number of cases, and says how many are valid.
fn batch(seed: u64, cases: u64) -> u64 {
    let mut source = Source(ChaCha12Rng::seed_from_u64(seed));
    let secrets = [(); 12].map(|()| source.scalar());
    let keys = secrets.map(|secret| {
        let mut key = Key::of(ProjectivePoint::GENERATOR * secret).expect("not zero");
        key.precomputed = Some(PrecomputedKey::from(&key.ours));
        (secret, key)
    });
    let mut valid = 0;
    for _ in 0..cases / 2 {
        let (secret, key) = &keys[usize::try_from(source.below(12)).expect("small")];
        let recovered;
        let (key, case) = match source.below(10) {
            0 => (key, source.any()),
            1 => loop {
                if let Some((key, case)) = source.recovered() {
                    recovered = key;
                    break (&recovered, case);
                }
            },
            _ => (key, source.chosen(*secret)),
        };
        valid += u64::from(case.verify(key)) + u64::from(source.changed(case).verify(key));
    }
    valid
}

#[test]
fn both_come_to_the_same_verdict() {
    let number = |name: &str, other| std::env::var(name).map_or(other, |number| number.parse().expect("a number"));
    let (cases, seed) = (number("ES256_CASES", 100_000_u64), number("ES256_SEED", 0));
    let (next, valid) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    match cases.saturating_sub(number * BATCH).min(BATCH) {
                        0 => break,
                        cases => valid.fetch_add(batch(seed << 32 | number, cases), Ordering::Relaxed),
                    };
                }
            });
        }
    });
    let valid = valid.into_inner();
    println!("{cases} cases, {valid} of them valid");
    assert!(valid > cases / 3 && valid < cases * 2 / 3, "{valid} of {cases} are valid");
}
