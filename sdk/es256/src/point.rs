//! Points of P-256 and their addition.

use crate::field::Field;
use crate::limb::Limb;

/// A point other than the one at infinity, by its coordinates as [`Field::pack`] gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Affine {
    pub(crate) x: [u64; 4],
    pub(crate) y: [u64; 4],
}

/// A point other than the one at infinity in Jacobian coordinates: (x / z^2, y / z^3). All three are balanced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jacobian<L = i64> {
    pub(crate) x: Field<L>,
    pub(crate) y: Field<L>,
    pub(crate) z: Field<L>,
}

/// The straight line through a point and another: how far the other's coordinates are from its own, times z^2 and z^3.
pub(crate) struct Chord<L> {
    pub(crate) x: Field<L>,
    pub(crate) y: Field<L>,
    z_squared: Field<L>,
}

impl Affine {
    /// 2^261 times the coefficient b, modulo p (SP 800-186, section 3.2.1.3).
    const B: [u64; 4] = [0x139b_ec45_3897_bbfb, 0x9e00_b994_1086_121b, 0xb444_157e_e425_dad5, 0x8600_c3bb_90e9_0681];

    /// None unless both are below p, and the point is on the curve.
    pub(crate) fn from_integers(x: &[u64; 4], y: &[u64; 4]) -> Option<Self> {
        let (x, y) = (Field::from_integer(x)?, Field::from_integer(y)?);
        // y^2 - b = x * (x^2 - 3)
        let three = Field::one().shl(2) - Field::one();
        let difference = x.squared_plus(-three).times_plus(x, Field::unpack(&Self::B) - y.squared());
        difference.is_zero().then(|| Self { x: x.pack(), y: y.pack() })
    }
}

impl<L: Limb> Jacobian<L> {
    /// Twice the point ("dbl-2001-b" of the Explicit-Formulas Database). No point has order two.
    pub(crate) fn double(&self) -> Self {
        let Self { x, y, z } = *self;
        let delta = z.squared();
        let gamma = y.squared();
        let beta4 = x * gamma.shl(2);
        let sum = x + delta;
        let alpha = (x - delta) * (sum.shl(1) + sum);
        let x3 = alpha.squared_plus(-beta4.shl(1));
        Self { x: x3, y: alpha.times_minus(beta4 - x3, gamma.shl(3), gamma), z: (y + z).squared_plus(-gamma - delta) }
    }

    pub(crate) fn chord(&self, x: Field<L>, y: Field<L>) -> Chord<L> {
        let z_squared = self.z.squared();
        let z_cubed = self.z * z_squared;
        Chord { x: x.times_plus(z_squared, -self.x), y: y.times_plus(z_cubed, -self.y), z_squared }
    }

    /// The sum of the point and another that has another x ("madd-2007-bl" of the Explicit-Formulas Database).
    pub(crate) fn along(&self, chord: &Chord<L>) -> Self {
        let h_squared = chord.x.squared();
        let i = h_squared.shl(2);
        let j = chord.x * i;
        let r = chord.y.shl(1);
        let v = self.x * i;
        let x3 = r.squared_plus(-j - v.shl(1));
        Self {
            x: x3,
            y: r.times_minus(v - x3, self.y.shl(1), j),
            z: (self.z + chord.x).squared_plus(-chord.z_squared - h_squared),
        }
    }
}

impl Jacobian {
    pub(crate) fn from_affine(point: &Affine) -> Self {
        Self { x: Field::unpack(&point.x), y: Field::unpack(&point.y), z: Field::one() }
    }

    /// The sum; none if it is the point at infinity.
    pub(crate) fn plus(&self, x: Field, y: Field) -> Option<Self> {
        let chord = self.chord(x, y);
        match (chord.x.is_zero(), chord.y.is_zero()) {
            (false, _) => Some(self.along(&chord)),
            (true, true) => Some(self.double()),
            (true, false) => None,
        }
    }

    /// Whether this is its affine x.
    pub(crate) fn has_x(&self, x: Field) -> bool {
        x.times_plus(self.z.squared(), -self.x).is_zero()
    }
}
