//! Sums of multiples of points, by tables of odd multiples.

use core::array;

use crate::field::Field;
use crate::point::{Affine, Jacobian};

/// Of a point, of 2^64 times it, of 2^128 times it and of 2^192 times it the odd multiples, from once to 31 times.
pub(crate) type Tables = [[Affine; 16]; 4];

/// A multiple of a point.
pub(crate) struct Term<'a> {
    /// The factor's width-w non-adjacent form, the lowest digit first: each is zero, or odd and less than 2^(w - 1).
    digits: [i8; 257],
    /// Once the point, three times, five times and so on.
    table: &'a [Affine],
}

impl<'a> Term<'a> {
    /// `factor` times a point, by a table of 2^(width - 2) odd multiples. `width` is at most 8.
    pub(crate) fn new(factor: [u64; 4], width: usize, table: &'a [Affine]) -> Self {
        let word = |index| factor.get(index).copied().unwrap_or_default();
        let mut digits = [0; 257];
        let (mut carry, mut next) = (0, 0);
        for (position, place) in digits.iter_mut().enumerate() {
            let (index, bit) = (position / 64, position % 64);
            let bits = word(index) >> bit;
            if position < next || bits & 1 == carry {
                continue;
            }
            let bits = bits | word(index + 1) << 1 << (63 - bit);
            let digit = (bits & ((1 << width) - 1)) + carry;
            carry = digit >> (width - 1);
            let [lowest, ..] = digit.wrapping_sub(carry << width).to_le_bytes();
            *place = lowest.cast_signed();
            next = position + width;
        }
        Self { digits, table }
    }

    /// The point to add where the digit at this position stands.
    fn at(&self, position: usize) -> Option<(Field, Field)> {
        let digit = self.digits.get(position).filter(|digit| **digit != 0)?;
        let point = self.table.get(usize::from(digit.unsigned_abs() / 2))?;
        let y = Field::unpack(&point.y);
        Some((Field::unpack(&point.x), if *digit < 0 { -y } else { y }))
    }
}

/// The terms of a factor by four tables: a quarter of its bits each.
pub(crate) fn quarters(factor: [u64; 4], tables: [&[Affine; 16]; 4]) -> [Term<'_>; 4] {
    let [a, b, c, d] = factor;
    let [times_1, times_64, times_128, times_192] = tables;
    [(a, times_1), (b, times_64), (c, times_128), (d, times_192)]
        .map(|(quarter, table)| Term::new([quarter, 0, 0, 0], 6, table))
}

/// The sum of the terms; none if it is the point at infinity.
pub(crate) fn sum(terms: &[Term<'_>]) -> Option<Jacobian> {
    let mut sum: Option<Jacobian> = None;
    for position in (0..257).rev() {
        sum = sum.map(|sum| sum.double());
        for (x, y) in terms.iter().filter_map(|term| term.at(position)) {
            sum = match sum {
                Some(sum) => sum.plus(x, y),
                None => Some(Jacobian { x, y, z: Field::one() }),
            };
        }
    }
    sum
}

/// The first N odd multiples of a point.
pub(crate) fn odd_multiples<const N: usize>(point: &Affine) -> [Affine; N] {
    let point = Jacobian::from_affine(point);
    let twice = point.double();
    // Additions don't depend on the curve's coefficients. So they are done on the curve onto which (x, y) -> (x * z^2,
    // y * z^3) leads, where `twice`, whose z this is, has (twice.x, twice.y) for coordinates.
    let z_squared = twice.z.squared();
    let mut next = Jacobian { x: point.x * z_squared, y: point.y * (z_squared * twice.z), z: Field::one() };
    // Small multiples of one point are neither equal nor opposite.
    affine(array::from_fn(|_| {
        let multiple = next;
        next = next.along(&next.chord(twice.x, twice.y));
        Jacobian { z: multiple.z * twice.z, ..multiple }
    }))
}

/// The tables of a point.
pub(crate) fn tables(point: &Affine) -> Tables {
    let mut next = *point;
    array::from_fn(|_| {
        let table = odd_multiples(&next);
        let shifted = (0..64).fold(Jacobian::from_affine(&next), |point, _| point.double());
        [next] = affine([shifted]);
        table
    })
}

/// Affine coordinates of many points, with a single inversion.
fn affine<const N: usize>(points: [Jacobian; N]) -> [Affine; N] {
    let mut product = Field::one();
    // Of each point the product of all z before its own.
    let before = points.map(|point| {
        let before = product;
        product = product * point.z;
        before
    });
    let mut inverse = product.inverse();
    let mut found = [const { Affine { x: [0; 4], y: [0; 4] } }; N];
    for ((point, before), found) in points.iter().zip(before).zip(&mut found).rev() {
        let z_inverse = inverse * before;
        inverse = inverse * point.z;
        let squared = z_inverse.squared();
        *found = Affine { x: (point.x * squared).pack(), y: (point.y * (squared * z_inverse)).pack() };
    }
    found
}
