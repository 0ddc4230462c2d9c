//! Integers modulo n, the order of P-256 (SP 800-186, section 3.2.1.3).

use crate::field::product;
use crate::inverse::{Modulus, inverse};
use crate::limb::{BITS, Limb, is_less, remainder, unpack};

/// n.
pub(crate) const N: [u64; 4] =
    [0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000];
/// 2^261 modulo n.
const R: [u64; 4] = [0x88c6_a7a0_739b_55e0, 0x6320_aa4b_1d0c_2f61, 8, 0x001f_ffff_ffe0];
/// -1/n modulo 2^29.
const QUOTIENT: i32 = 0x0e00_bc4f;
pub(crate) const MODULUS: Modulus = Modulus { number: N, inverse: (1 << 29) - QUOTIENT };

/// Whether it is from 1 to n - 1.
pub(crate) fn is_scalar(number: &[u64; 4]) -> bool {
    *number != [0; 4] && is_less(number, &N)
}

/// The numbers, which are below 2^256, divided by a scalar modulo n.
pub(crate) fn quotients(numbers: [[u64; 4]; 2], scalar: [u64; 4]) -> [[u64; 4]; 2] {
    let inverse = unpack(inverse(scalar, R, &MODULUS));
    numbers.map(|number| remainder(reduced(product(unpack(number), inverse), unpack(N)), N))
}

/// The columns divided by 2^261 modulo n (Montgomery).
pub(crate) fn reduced<L: Limb>(columns: [L; 17], modulus: [L; 9]) -> [L; 9] {
    let mut carry = L::from(0);
    let mut number = columns;
    for start in 0..9 {
        let mut places = number.iter_mut().skip(start);
        let mut digits = modulus.into_iter();
        if let (Some(place), Some(digit)) = (places.next(), digits.next()) {
            let sum = *place + carry;
            let quotient = (sum.low(BITS) * L::from(QUOTIENT)).low(BITS);
            carry = (sum + quotient * digit).high(BITS);
            places.zip(digits).for_each(|(place, digit)| *place = *place + quotient * digit);
        }
    }
    let [.., d0, d1, d2, d3, d4, d5, d6, d7] = number;
    [d0 + carry, d1, d2, d3, d4, d5, d6, d7, L::from(0)]
}
