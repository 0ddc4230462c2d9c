//! The field of P-256: integers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 (SP 800-186, section 3.2.1.3).
//!
//! An element x is kept as x * 2^261 modulo p, in nine limbs, each worth 2^29 times the one before it. Limbs are
//! signed: sums and differences are taken limb by limb, without carries. A product is *balanced* again: its limbs are
//! from -2^28 below 2^28, but for the last. What may be multiplied, and why nothing overflows, is in docs/es256.md.

use core::ops::{Add, Mul, Neg, Sub};

use crate::inverse::{Modulus, inverse};
use crate::limb::{BITS, Limb, is_less, remainder, unpack};

/// An element of the field. Many limbs stand for the same element: [`Field::is_zero`] compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<L = i64>(pub(crate) [L; 9]);

/// p.
pub(crate) const P: [u64; 4] = [0xffff_ffff_ffff_ffff, 0xffff_ffff, 0, 0xffff_ffff_0000_0001];
/// 2^261 and 2^522 modulo p.
const ONE: [u64; 4] = [0x20, 0xffff_ffe0_0000_0000, 0xffff_ffff_ffff_ffff, 0x001f_ffff_ffdf];
const R2: [u64; 4] = [0xc00, 0xffff_efff_ffff_fc00, 0xffff_ffff_ffff_fbff, 0x13ff_ffff_f7ff];
pub(crate) const MODULUS: Modulus = Modulus { number: P, inverse: (1 << BITS) - 1 };
/// What is added before a digit is cut off, and subtracted afterwards, to balance it.
const HALF: i32 = 1 << (BITS - 1);

impl Field {
    /// An integer below p, as an element. None if it is not below p.
    pub(crate) fn from_integer(integer: &[u64; 4]) -> Option<Self> {
        is_less(integer, &P).then(|| Self::of(unpack(*integer)))
    }

    /// An integer in limbs, each below 2^30, as an element.
    pub(crate) fn of(integer: [i64; 9]) -> Self {
        Self(integer) * Self::unpack(&R2)
    }

    pub(crate) fn one() -> Self {
        Self::unpack(&ONE)
    }

    /// The element that was packed.
    #[inline]
    pub(crate) fn unpack(packed: &[u64; 4]) -> Self {
        Self(unpack(*packed)).balanced()
    }

    /// The one form of this element in which integers below p stand for elements.
    pub(crate) fn pack(self) -> [u64; 4] {
        remainder(self.0, P)
    }

    /// Whether it is zero. Balanced, and less than 16 p either way.
    #[inline]
    pub(crate) fn is_zero(self) -> bool {
        // p is -1 modulo 2^29, so the first digit of k * p is -k.
        let [first, ..] = self.0;
        (-16..=16).contains(&first) && self.pack() == [0; 4]
    }

    /// What it has to be multiplied with to give one; zero, if it is zero.
    pub(crate) fn inverse(self) -> Self {
        Self::unpack(&inverse(self.pack(), R2, &MODULUS))
    }
}

/// What multiplies is written out once each and called: elsewhere it would make the code many times as large.
impl<L: Limb> Field<L> {
    /// The sum of a product and `plus`, whose limbs may be 16 times as large as balanced ones.
    #[inline(never)]
    pub(crate) fn times_plus(self, other: Self, plus: Self) -> Self {
        reduced(product(self.0, other.0), plus)
    }

    /// The sum of a square and `plus`.
    #[inline(never)]
    pub(crate) fn squared_plus(self, plus: Self) -> Self {
        reduced(square(self), plus)
    }

    #[inline(never)]
    pub(crate) fn squared(self) -> Self {
        reduced(square(self), Self([L::from(0); 9]))
    }

    /// `self * other - a * b`.
    #[inline(never)]
    pub(crate) fn times_minus(self, other: Self, a: Self, b: Self) -> Self {
        let mut columns = product(self.0, other.0);
        columns.iter_mut().zip(product(a.0, b.0)).for_each(|(column, less)| *column = *column - less);
        reduced(columns, Self([L::from(0); 9]))
    }

    /// `2^bits` times as much, limb by limb.
    #[inline(always)]
    pub(crate) fn shl(self, bits: u32) -> Self {
        let mut limbs = self.0;
        for limb in &mut limbs {
            *limb = *limb << bits;
        }
        Self(limbs)
    }

    /// The same element, as an integer between 0 and little more than p: what the last limb has from 2^256 on, which is
    /// worth 2^224 - 2^192 - 2^96 + 1 each, goes to limbs 7, 6, 3 and 0.
    #[inline(always)]
    fn folded(self) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = self.0;
        let over = a8.high(24);
        Self([a0 + over, a1, a2, a3 - (over << 9), a4, a5, a6 - (over << 18), a7 + (over << 21), a8.low(24)])
    }

    /// The same integer in balanced limbs.
    #[inline]
    pub(crate) fn balanced(mut self) -> Self {
        let mut carry = L::from(0);
        let [digits @ .., last] = &mut self.0;
        for digit in digits {
            let sum = *digit + carry + L::from(HALF);
            (*digit, carry) = (sum.low(BITS) - L::from(HALF), sum.high(BITS));
        }
        *last = *last + carry;
        self
    }
}

/// The product, in columns each worth 2^29 times the one before it.
#[inline(always)]
pub(crate) fn product<L: Limb>(a: [L; 9], b: [L; 9]) -> [L; 17] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = a;
    let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = b;
    [
        a0 * b0,
        a0 * b1 + a1 * b0,
        a0 * b2 + a1 * b1 + a2 * b0,
        a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0,
        a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0,
        a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0,
        a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0,
        a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0,
        a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3 + a6 * b2 + a7 * b1 + a8 * b0,
        a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1,
        a2 * b8 + a3 * b7 + a4 * b6 + a5 * b5 + a6 * b4 + a7 * b3 + a8 * b2,
        a3 * b8 + a4 * b7 + a5 * b6 + a6 * b5 + a7 * b4 + a8 * b3,
        a4 * b8 + a5 * b7 + a6 * b6 + a7 * b5 + a8 * b4,
        a5 * b8 + a6 * b7 + a7 * b6 + a8 * b5,
        a6 * b8 + a7 * b7 + a8 * b6,
        a7 * b8 + a8 * b7,
        a8 * b8,
    ]
}

#[inline(always)]
fn square<L: Limb>(a: Field<L>) -> [L; 17] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = a.0;
    let [t0, t1, t2, t3, t4, t5, t6, t7, _] = (a + a).0;
    [
        a0 * a0,
        t0 * a1,
        t0 * a2 + a1 * a1,
        t0 * a3 + t1 * a2,
        t0 * a4 + t1 * a3 + a2 * a2,
        t0 * a5 + t1 * a4 + t2 * a3,
        t0 * a6 + t1 * a5 + t2 * a4 + a3 * a3,
        t0 * a7 + t1 * a6 + t2 * a5 + t3 * a4,
        t0 * a8 + t1 * a7 + t2 * a6 + t3 * a5 + a4 * a4,
        t1 * a8 + t2 * a7 + t3 * a6 + t4 * a5,
        t2 * a8 + t3 * a7 + t4 * a6 + a5 * a5,
        t3 * a8 + t4 * a7 + t5 * a6,
        t4 * a8 + t5 * a7 + a6 * a6,
        t5 * a8 + t6 * a7,
        t6 * a8 + a7 * a7,
        t7 * a8,
        a8 * a8,
    ]
}

/// The columns divided by 2^261 modulo p (Montgomery), and `plus`.
///
/// -1/p is 1 modulo 2^29, so the digits m0 to m8 of the quotient are the digits of the number itself, and m * p is
/// added by shifting: p = -1 + 2^96 + 2^192 - 2^224 + 2^256, that is 2^9, 2^18, -2^21 and 2^24 at limbs 3, 6, 7 and 8.
/// The -1 clears the digit that m was.
#[inline(always)]
fn reduced<L: Limb>(columns: [L; 17], plus: Field<L>) -> Field<L> {
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16] = columns;
    let [p0, p1, p2, p3, p4, p5, p6, p7, p8] = plus.folded().0;
    let half = L::from(HALF);
    let (m0, k) = split(c0);
    let (m1, k) = split(c1 + k);
    let (m2, k) = split(c2 + k);
    let (m3, k) = split(c3 + k + (m0 << 9));
    let (m4, k) = split(c4 + k + (m1 << 9));
    let (m5, k) = split(c5 + k + (m2 << 9));
    let (m6, k) = split(c6 + k + (m3 << 9) + (m0 << 18));
    let (m7, k) = split(c7 + k + (m4 << 9) + (m1 << 18) - (m0 << 21));
    let (m8, k) = split(c8 + k + (m5 << 9) + (m2 << 18) - (m1 << 21) + (m0 << 24));
    let (r0, k) = split(c9 + p0 + half + k + (m6 << 9) + (m3 << 18) - (m2 << 21) + (m1 << 24));
    let (r1, k) = split(c10 + p1 + half + k + (m7 << 9) + (m4 << 18) - (m3 << 21) + (m2 << 24));
    let (r2, k) = split(c11 + p2 + half + k + (m8 << 9) + (m5 << 18) - (m4 << 21) + (m3 << 24));
    let (r3, k) = split(c12 + p3 + half + k + (m6 << 18) - (m5 << 21) + (m4 << 24));
    let (r4, k) = split(c13 + p4 + half + k + (m7 << 18) - (m6 << 21) + (m5 << 24));
    let (r5, k) = split(c14 + p5 + half + k + (m8 << 18) - (m7 << 21) + (m6 << 24));
    let (r6, k) = split(c15 + p6 + half + k - (m8 << 21) + (m7 << 24));
    let (r7, k) = split(c16 + p7 + half + k + (m8 << 24));
    Field([r0 - half, r1 - half, r2 - half, r3 - half, r4 - half, r5 - half, r6 - half, r7 - half, p8 + k])
}

#[inline(always)]
fn split<L: Limb>(limb: L) -> (L, L) {
    (limb.low(BITS), limb.high(BITS))
}

impl<L: Limb> Mul for Field<L> {
    type Output = Self;

    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        reduced(product(self.0, other.0), Self([L::from(0); 9]))
    }
}

impl<L: Limb> Add for Field<L> {
    type Output = Self;

    /// Limb by limb.
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = self.0;
        let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = other.0;
        Self([a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4, a5 + b5, a6 + b6, a7 + b7, a8 + b8])
    }
}

impl<L: Limb> Sub for Field<L> {
    type Output = Self;

    /// Limb by limb.
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = self.0;
        let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = other.0;
        Self([a0 - b0, a1 - b1, a2 - b2, a3 - b3, a4 - b4, a5 - b5, a6 - b6, a7 - b7, a8 - b8])
    }
}

impl<L: Limb> Neg for Field<L> {
    type Output = Self;

    /// Limb by limb.
    #[inline(always)]
    fn neg(self) -> Self {
        let mut limbs = self.0;
        for limb in &mut limbs {
            *limb = -*limb;
        }
        Self(limbs)
    }
}
