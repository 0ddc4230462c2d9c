//! Inverses modulo an odd prime, by division steps (Bernstein and Yang, "Fast constant-time gcd computation and modular
//! inversion", 2019), here in variable time. The arrangement is that of libsecp256k1 (its
//! `doc/safegcd_implementation.md`), with 29 steps at a time.

use crate::limb::{BITS, Limb, remainder, unpack};

/// An odd prime below 2^256.
pub(crate) struct Modulus {
    pub(crate) number: [u64; 4],
    /// Its inverse modulo 2^29.
    pub(crate) inverse: i32,
}

/// `scale` divided by `number`, both less than the modulus; zero if `number` is.
pub(crate) fn inverse(number: [u64; 4], scale: [u64; 4], modulus: &Modulus) -> [u64; 4] {
    let primes = unpack(modulus.number);
    // Modulo the prime, d * number = f * scale and e * number = g * scale, all along.
    let (mut f, mut g) = (primes, unpack(number));
    let (mut d, mut e) = ([0; 9], unpack(scale));
    let mut eta = -1;
    while g != [0; 9] {
        let ([f0, ..], [g0, ..]) = (f, g);
        let [upper, lower] = steps(&mut eta, f0, g0);
        (d, e) = (
            combined(upper, d, e, multiple(upper, d, e, modulus), primes),
            combined(lower, d, e, multiple(lower, d, e, modulus), primes),
        );
        (f, g) = (combined(upper, f, g, 0, primes), combined(lower, f, g, 0, primes));
    }
    // Now f is 1 or -1, or the prime if `number` was zero, when d is zero.
    let is_negative = f.last().is_some_and(|last| *last < 0);
    remainder(if is_negative { d.map(|limb| -limb) } else { d }, modulus.number)
}

/// What 29 division steps do to f and g, of which the lowest digits are given: 2^29 times the new f and the new g are
/// these multiples of the old ones.
fn steps(eta: &mut i64, mut f: i64, mut g: i64) -> [[i64; 2]; 2] {
    // Not by `map` on arrays, which the compiler leaves as calls: this is where most of the time goes.
    let [mut a, mut b, mut c, mut d] = [1, 0, 0, 1];
    let mut left = BITS;
    loop {
        let zeros = (g | -1 << left).trailing_zeros();
        g >>= zeros;
        (a, b) = (a << zeros, b << zeros);
        *eta -= i64::from(zeros);
        left -= zeros;
        if left == 0 {
            return [[a, b], [c, d]];
        }
        if *eta < 0 {
            *eta = -*eta;
            (f, g) = (g, -f);
            (a, b, c, d) = (c, d, -a, -b);
        }
        // As many of the lowest bits of g are cleared as there are steps before f and g change places, but six at most:
        // f * (f^2 - 2) is -1/f modulo 2^6.
        let cleared = (*eta + 1).min(left.into()).min(6);
        let (f6, g6) = (f & 63, g & 63);
        let factor = (f6 * (f6 * f6 - 2) * g6) & ((1 << cleared) - 1);
        g += f * factor;
        (c, d) = (c + a * factor, d + b * factor);
    }
}

/// How often the modulus must be added to `x * d + y * e` so that 2^29 divides it. d and e are from -2 times the
/// modulus to the modulus, and if x and y together are at most 2^29, so is the sum divided by it.
pub(crate) fn multiple<L: Limb>([x, y]: [L; 2], d: [L; 9], e: [L; 9], modulus: &Modulus) -> L {
    let ([d0, .., d8], [e0, .., e8]) = (d, e);
    let positive = d8.if_negative(x) + e8.if_negative(y);
    positive - ((x * d0 + y * e0).low(BITS) * L::from(modulus.inverse) + positive).low(BITS)
}

/// `(x * a + y * b + multiple * modulus) / 2^29`, without remainder.
pub(crate) fn combined<L: Limb>([x, y]: [L; 2], a: [L; 9], b: [L; 9], multiple: L, modulus: [L; 9]) -> [L; 9] {
    let mut columns = a;
    for ((column, b), modulus) in columns.iter_mut().zip(b).zip(modulus) {
        *column = x * *column + y * b + multiple * modulus;
    }
    let [first, mut rest @ ..] = columns;
    let mut carry = first.high(BITS);
    for column in &mut rest {
        let sum = *column + carry;
        (*column, carry) = (sum.low(BITS), sum.high(BITS));
    }
    let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
    [d0, d1, d2, d3, d4, d5, d6, d7, carry]
}
