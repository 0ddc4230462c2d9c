//! No limb overflows: the very code of the arithmetic, run on ranges in place of numbers.

use core::ops::{Add, Mul, Neg, Shl, Sub};

use crate::field::Field;
use crate::inverse::{Modulus, combined, multiple};
use crate::limb::{BITS, Limb, unpack};
use crate::point::Jacobian;
use crate::scalar;

/// Every number from the least to the greatest. Making one that 64 bits don't hold fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    least: i128,
    greatest: i128,
}

impl Range {
    fn new(least: i128, greatest: i128) -> Self {
        assert!(least <= greatest);
        assert!(i128::from(i64::MIN) <= least && greatest <= i128::from(i64::MAX), "{least} to {greatest} overflows");
        Self { least, greatest }
    }

    /// What is in one or the other.
    fn or(self, other: Self) -> Self {
        Self::new(self.least.min(other.least), self.greatest.max(other.greatest))
    }
}

impl From<i32> for Range {
    fn from(number: i32) -> Self {
        Self::new(number.into(), number.into())
    }
}

impl Add for Range {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.least + other.least, self.greatest + other.greatest)
    }
}

impl Sub for Range {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.least - other.greatest, self.greatest - other.least)
    }
}

impl Mul for Range {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let products = [self.least * other.least, self.least * other.greatest, self.greatest * other.least, self.greatest * other.greatest];
        let (least, greatest) = (products.iter().min(), products.iter().max());
        Self::new(*least.expect("four"), *greatest.expect("four"))
    }
}

impl Neg for Range {
    type Output = Self;

    fn neg(self) -> Self {
        Self::new(-self.greatest, -self.least)
    }
}

impl Shl<u32> for Range {
    type Output = Self;

    fn shl(self, bits: u32) -> Self {
        Self::new(self.least << bits, self.greatest << bits)
    }
}

impl Limb for Range {
    fn low(self, bits: u32) -> Self {
        match self.high(bits) {
            high if high.least == high.greatest => self - (high << bits),
            _ => Self::new(0, (1 << bits) - 1),
        }
    }

    fn high(self, bits: u32) -> Self {
        Self::new(self.least >> bits, self.greatest >> bits)
    }

    fn if_negative(self, other: Self) -> Self {
        if self.least < 0 { other.or(Self::from(0)) } else { Self::from(0) }
    }
}

fn either(a: Field<Range>, b: Field<Range>) -> Field<Range> {
    let mut limbs = a.0;
    limbs.iter_mut().zip(b.0).for_each(|(limb, other)| *limb = limb.or(other));
    Field(limbs)
}

/// What every number below 2^256 is when it was unpacked.
fn unpacked() -> Field<Range> {
    Field(unpack([u64::MAX; 4]).map(|digit| Range::new(0, digit.into()))).balanced()
}

fn limbs(one: Range, last: Range) -> [Range; 9] {
    let mut limbs = [one; 9];
    limbs[8] = last;
    limbs
}

/// Adds and doubles until no coordinate can become larger than it was before: from then on nothing new comes out, whatever
/// points, and however many, are added.
#[test]
fn points() {
    let table = unpacked();
    let either_sign = either(table, -table);
    let mut point = Jacobian { x: table, y: either_sign, z: table };
    for round in 0.. {
        assert!(round < 100, "it grows: {point:?}");
        // On the curve that is used to make tables, coordinates are products: `point` has these, too.
        let product = point.x * point.z.squared();
        let chord = point.chord(either(either_sign, point.x), either(either_sign, point.y));
        let next = [point.double(), point.along(&chord), Jacobian { x: product, y: product, z: product }];
        let grown = next.iter().fold(point, |point, next| Jacobian {
            x: either(point.x, next.x),
            y: either(point.y, next.y),
            z: either(point.z, next.z),
        });
        if [(grown.x, point.x), (grown.y, point.y), (grown.z, point.z)].iter().all(|(grown, point)| grown.0 == point.0) {
            std::println!("{round} {point:?}");
            break;
        }
        point = grown;
    }
}
