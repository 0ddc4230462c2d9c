//! No limb overflows: the very code of the arithmetic, run on ranges in place of numbers.

use core::ops::{Add, Mul, Neg, Shl, Sub};

use crate::field::{self, Field, product};
use crate::inverse::{combined, multiple};
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
        let products = [
            self.least * other.least,
            self.least * other.greatest,
            self.greatest * other.least,
            self.greatest * other.greatest,
        ];
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

fn either(Field(mut limbs): Field<Range>, Field(others): Field<Range>) -> Field<Range> {
    limbs.iter_mut().zip(others).for_each(|(limb, other)| *limb = limb.or(other));
    Field(limbs)
}

/// What every number below 2^256 is when it was unpacked.
fn unpacked() -> Field<Range> {
    Field(unpack([u64::MAX; 4]).map(|digit| Range::new(0, digit.into()))).balanced()
}

/// Adds and doubles until no coordinate can become larger than it was before: from then on nothing new comes out,
/// whatever points, and however many, are added.
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
        if [grown.x.0, grown.y.0, grown.z.0] == [point.x.0, point.y.0, point.z.0] {
            break;
        }
        point = grown;
    }
    // What is balanced is between -2^28 and 2^28, but for the last limb, by which one sees that it is less than 4 p
    // either way.
    for Field([limbs @ .., last]) in [point.x, point.y, point.z] {
        assert!(limbs.iter().all(|limb| limb.least >= -(1 << 28) && limb.greatest <= 1 << 28), "{limbs:?}");
        assert!(last.least >= -(4 << 24) && last.greatest < 4 << 24, "{last:?}");
    }
    // The last step: x times z^2, for an x that may have n added to it, and what is asked whether it is zero.
    let number = Field(unpack([u64::MAX; 4]).map(|digit| Range::new(0, 2 * i128::from(digit))));
    let x = number * table;
    for zero in [
        x.times_plus(point.z.squared(), -point.x),
        point.chord(table, either_sign).x,
        point.chord(table, either_sign).y,
    ] {
        let Field([.., last]) = zero;
        assert!(last.least >= -(15 << 24) && last.greatest < 15 << 24, "{last:?}");
    }
}

/// Modulo n the columns of two numbers below 2^256, and of the quotient, fit.
#[test]
fn scalars() {
    let number = unpack([u64::MAX; 4]).map(|digit| Range::new(0, digit.into()));
    let modulus = unpack(scalar::N).map(|digit| Range::new(digit.into(), digit.into()));
    scalar::reduced(product(number, number), modulus);
}

/// One turn of the inversion. That the factors are at most 2^29 in a row, and the numbers at most twice the modulus
/// either way, the method guarantees.
#[test]
fn inverses() {
    let factor = Range::new(-(1 << BITS), 1 << BITS);
    let mut number = [Range::new(0, (1 << BITS) - 1); 9];
    number[8] = Range::new(-(1 << 25), 1 << 25);
    for modulus in [field::MODULUS, scalar::MODULUS] {
        let prime = unpack(modulus.number).map(|digit| Range::new(digit.into(), digit.into()));
        let multiple = multiple([factor; 2], number, number, &modulus);
        combined([factor; 2], number, number, multiple, prime);
    }
}
