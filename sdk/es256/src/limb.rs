//! What the arithmetic computes with.

use core::ops::{Add, Mul, Neg, Shl, Sub};

/// Bits of a digit.
pub(crate) const BITS: u32 = 29;

/// A signed 64-bit number. The arithmetic is generic over it, so that a test can run the same code on ranges of numbers
/// and see that none leaves 64 bits.
pub(crate) trait Limb:
    Copy
    + From<i32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Shl<u32, Output = Self>
{
    /// The remainder by `2^bits`, from 0.
    fn low(self, bits: u32) -> Self;

    /// The quotient by `2^bits`, rounded down.
    fn high(self, bits: u32) -> Self;

    /// `other` if this is negative, zero otherwise.
    fn if_negative(self, other: Self) -> Self;
}

impl Limb for i64 {
    #[inline(always)]
    fn low(self, bits: u32) -> Self {
        self & ((1 << bits) - 1)
    }

    #[inline(always)]
    fn high(self, bits: u32) -> Self {
        self >> bits
    }

    #[inline(always)]
    fn if_negative(self, other: Self) -> Self {
        self >> 63 & other
    }
}

/// The digits of a number below 2^256, each from 0 below 2^29.
pub(crate) fn unpack([a, b, c, d]: [u64; 4]) -> [i64; 9] {
    [a, a >> 29, a >> 58 | b << 6, b >> 23, b >> 52 | c << 12, c >> 17, c >> 46 | d << 18, d >> 11, d >> 40]
        .map(|digit| digit.cast_signed().low(BITS))
}

/// The number below 2^256 that has these digits, each from 0 below 2^29.
fn pack(digits: [i64; 9]) -> [u64; 4] {
    let [d0, d1, d2, d3, d4, d5, d6, d7, d8] = digits.map(i64::cast_unsigned);
    [
        d0 | d1 << 29 | d2 << 58,
        d2 >> 6 | d3 << 23 | d4 << 52,
        d4 >> 12 | d5 << 17 | d6 << 46,
        d6 >> 18 | d7 << 11 | d8 << 40,
    ]
}

/// The same number with digits from 0 below 2^29, but for the last, which has the sign.
fn carried(mut limbs: [i64; 9]) -> [i64; 9] {
    let mut carry = 0;
    let [digits @ .., last] = &mut limbs;
    for digit in digits {
        let sum = *digit + carry;
        (*digit, carry) = (sum.low(BITS), sum.high(BITS));
    }
    *last += carry;
    limbs
}

/// The least remainder of a number by a modulus; quick if it is not many times as large.
pub(crate) fn remainder(limbs: [i64; 9], modulus: [u64; 4]) -> [u64; 4] {
    let modulus = unpack(modulus);
    let mut number = carried(limbs);
    while number.last().is_some_and(|last| *last < 0) {
        number = carried(sum(number, modulus));
    }
    loop {
        let less = carried(sum(number, modulus.map(i64::neg)));
        if less.last().is_some_and(|last| *last < 0) {
            return pack(number);
        }
        number = less;
    }
}

fn sum(mut limbs: [i64; 9], other: [i64; 9]) -> [i64; 9] {
    limbs.iter_mut().zip(other).for_each(|(limb, other)| *limb += other);
    limbs
}

/// A number of 32 octets, the highest first, in words, the lowest first.
pub(crate) fn words(octets: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, octets) in words.iter_mut().rev().zip(octets.as_chunks().0) {
        *word = u64::from_be_bytes(*octets);
    }
    words
}

/// Whether one number is less than another, in words, the lowest first.
pub(crate) fn is_less(number: &[u64; 4], other: &[u64; 4]) -> bool {
    number.iter().rev().lt(other.iter().rev())
}
