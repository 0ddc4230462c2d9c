//! The arithmetic against integers of any size.

use std::vec::Vec;

use num_bigint::BigInt;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::generator::{X, Y};
use crate::GENERATOR;
use crate::field::{self, Field, P};
use crate::inverse::inverse;
use crate::limb::{is_less, unpack, words};
use crate::multiples::{Term, odd_multiples, quarters, sum, tables};
use crate::point::{Affine, Jacobian};
use crate::scalar::{self, N};

/// A point by its coordinates; none at infinity.
type Point = Option<[BigInt; 2]>;

fn integer(words: [u64; 4]) -> BigInt {
    words.iter().rev().fold(BigInt::ZERO, |sum, word| (sum << 64) + word)
}

fn to_words(integer: &BigInt) -> [u64; 4] {
    let mut words = [0; 4];
    let digits = integer.to_biguint().expect("positive").to_u64_digits();
    words[..digits.len()].copy_from_slice(&digits);
    words
}

fn modulo(integer: &BigInt, modulus: [u64; 4]) -> BigInt {
    let modulus = self::integer(modulus);
    ((integer % &modulus) + &modulus) % modulus
}

fn inverted(integer: &BigInt, modulus: [u64; 4]) -> BigInt {
    integer.modpow(&(self::integer(modulus) - 2), &self::integer(modulus))
}

/// What limbs stand for.
fn value(element: Field) -> BigInt {
    let integer = element.0.iter().rev().fold(BigInt::ZERO, |sum, limb| (sum << 29) + limb);
    modulo(&(integer * inverted(&(BigInt::from(1) << 261), P)), P)
}

fn element(value: &BigInt) -> Field {
    Field::from_integer(&to_words(value)).expect("below p")
}

/// Small numbers, numbers around each of these and around powers of two, and random ones, below 2^256.
fn numbers(random: usize) -> Vec<BigInt> {
    let mut numbers = Vec::new();
    let powers = [29, 58, 64, 96, 128, 192, 224, 232, 255, 256].map(|bits| BigInt::from(1) << bits);
    for middle in [BigInt::ZERO, integer(N), integer(P), integer(P) / 2, integer(P) - integer(N)].iter().chain(&powers)
    {
        numbers.extend((-3..=3).map(|by| middle + by));
    }
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    for _ in 0..random {
        let mut octets = [0; 32];
        rng.fill_bytes(&mut octets);
        numbers.push(integer(words(&octets)));
    }
    numbers.retain(|number| *number >= BigInt::ZERO && *number < BigInt::from(1) << 256);
    numbers
}

#[test]
fn integers() {
    for number in numbers(100) {
        let words = to_words(&number);
        assert_eq!(words.map(u64::to_be_bytes).iter().rev().flatten().copied().collect::<Vec<_>>(), {
            let mut octets = number.to_biguint().expect("positive").to_bytes_be();
            octets.splice(..0, std::iter::repeat_n(0, 32 - octets.len()));
            octets
        });
        let digits = unpack(words);
        assert!(digits.iter().all(|digit| (0..1 << 29).contains(digit)));
        assert_eq!(digits.iter().rev().fold(BigInt::ZERO, |sum, digit| (sum << 29) + digit), number);
        for other in [P, N] {
            assert_eq!(is_less(&words, &other), number < integer(other));
        }
        assert_eq!(Field::from_integer(&words).is_some(), number < integer(P));
        assert_eq!(scalar::is_scalar(&words), number > BigInt::ZERO && number < integer(N));
    }
}

/// Elements as integers give them, and with limbs at the ends of what is balanced.
fn elements(random: usize) -> Vec<(Field, BigInt)> {
    let mut elements: Vec<_> = numbers(random)
        .into_iter()
        .filter(|number| *number < integer(P))
        .flat_map(|number| {
            let element = element(&number);
            assert_eq!(value(element), number);
            [element, Field::unpack(&to_words(&number)), -element]
        })
        .collect();
    for first in [-(1 << 28), -1, 0, 1, (1 << 28) - 1] {
        for rest in [-(1 << 28), 0, (1 << 28) - 1] {
            for last in [-(1 << 26), -1, 0, 1, 1 << 26] {
                let mut limbs = [rest; 9];
                (limbs[0], limbs[8]) = (first, last);
                elements.push(Field(limbs));
            }
        }
    }
    elements.into_iter().map(|element| (element, value(element))).collect()
}

#[test]
fn elements_of_the_field() {
    let elements = elements(10);
    for (a, a_value) in &elements {
        assert_eq!(integer(a.pack()), modulo(&(a_value << 261), P));
        assert_eq!(a.is_zero(), *a_value == BigInt::ZERO);
        assert_eq!(value(a.squared()), modulo(&(a_value * a_value), P));
        assert_eq!(value(a.inverse()), inverted(a_value, P));
        assert_eq!(value(-*a), modulo(&-a_value, P));
        assert_eq!(value(a.shl(3)), modulo(&(a_value * 8), P));
        for (b, b_value) in elements.iter().step_by(7) {
            assert_eq!(value(*a * *b), modulo(&(a_value * b_value), P));
            assert_eq!(value(*a + *b), modulo(&(a_value + b_value), P));
            assert_eq!(value(*a - *b), modulo(&(a_value - b_value), P));
            assert_eq!((*a - *b).squared_plus(Field([0; 9])).is_zero(), a_value == b_value);
            assert_eq!(value(a.squared_plus(b.shl(3))), modulo(&(a_value * a_value + b_value * 8), P));
            assert_eq!(value(a.times_plus(*b, *a)), modulo(&(a_value * b_value + a_value), P));
            assert_eq!(value(a.times_minus(*b, b.shl(3), *b)), modulo(&((a_value - b_value * 8) * b_value), P));
        }
    }
}

#[test]
fn zero_has_many_forms() {
    for times in -15..=15 {
        let limbs = unpack(P).map(|digit| digit * times);
        assert!(Field(limbs).times_plus(Field([0; 9]), Field(limbs)).is_zero(), "{times}");
    }
}

#[test]
fn scalars() {
    let numbers = numbers(30);
    for number in numbers.iter().filter(|number| scalar::is_scalar(&to_words(number))) {
        let inverse = inverted(number, N);
        for pair in numbers.windows(2) {
            let quotients = scalar::quotients([to_words(&pair[0]), to_words(&pair[1])], to_words(number));
            assert_eq!(quotients.map(integer), [&pair[0], &pair[1]].map(|number| modulo(&(number * &inverse), N)));
        }
    }
}

#[test]
fn inverses() {
    let one = [1, 0, 0, 0];
    for modulus in [field::MODULUS, scalar::MODULUS] {
        for number in numbers(2000).iter().filter(|number| **number < integer(modulus.number)) {
            assert_eq!(integer(inverse(to_words(number), one, &modulus)), inverted(number, modulus.number), "{number}");
        }
    }
}

fn coordinates(point: &Affine) -> [BigInt; 2] {
    [point.x, point.y].map(|packed| value(Field::unpack(&packed)))
}

fn affine(point: Option<Jacobian>) -> Point {
    let Jacobian { x, y, z } = point?;
    let inverse = inverted(&value(z), P);
    let x = value(x) * inverse.pow(2);
    Some([modulo(&x, P), modulo(&(value(y) * inverse.pow(3)), P)])
}

/// SEC 1, section 2.2.1.
fn added(a: &Point, b: &Point) -> Point {
    let (Some([ax, ay]), Some([bx, by])) = (a, b) else { return a.clone().or_else(|| b.clone()) };
    let slope = if ax != bx {
        (by - ay) * inverted(&modulo(&(bx - ax), P), P)
    } else if ay == by {
        (ax * ax * 3 - 3) * inverted(&modulo(&(ay * 2), P), P)
    } else {
        return None;
    };
    let x = modulo(&(&slope * &slope - ax - bx), P);
    let y = modulo(&(slope * (ax - &x) - ay), P);
    Some([x, y])
}

fn multiple(factor: &BigInt, point: &Point) -> Point {
    (0..factor.bits()).rev().fold(None, |sum, bit| {
        let sum = added(&sum, &sum);
        if factor.bit(bit) { added(&sum, point) } else { sum }
    })
}

fn negative([x, y]: [BigInt; 2]) -> [BigInt; 2] {
    [x, integer(P) - y]
}

fn generator() -> Affine {
    Affine::from_integers(&X, &Y).expect("on the curve")
}

/// The same point with another z.
fn scaled(point: &Affine, z: Field) -> Jacobian {
    let z_squared = z.squared();
    let Jacobian { x, y, .. } = Jacobian::from_affine(point);
    Jacobian { x: x * z_squared, y: y * (z_squared * z), z }
}

#[test]
fn points() {
    let multiples = odd_multiples::<8>(&generator());
    let point = Some(coordinates(&generator()));
    for (index, found) in (0..).zip(&multiples) {
        assert_eq!(Some(coordinates(found)), multiple(&BigInt::from(index * 2 + 1), &point));
    }
    let zs = elements(5).into_iter().filter(|(_, value)| *value != BigInt::ZERO).step_by(25).map(|(z, _)| z);
    let zs = zs.collect::<Vec<_>>();
    for a in &multiples {
        let a_point = Some(coordinates(a));
        let twice = added(&a_point, &a_point);
        let sums = multiples.each_ref().map(|b| {
            let b_point = coordinates(b);
            [added(&a_point, &Some(b_point.clone())), added(&a_point, &Some(negative(b_point)))]
        });
        for z in &zs {
            let jacobian = scaled(a, *z);
            assert_eq!(affine(Some(jacobian)), a_point);
            assert_eq!(affine(Some(jacobian.double())), twice);
            for (b, sums) in multiples.iter().zip(&sums) {
                let [x, y] = [b.x, b.y].map(|packed| Field::unpack(&packed));
                assert_eq!([jacobian.plus(x, y), jacobian.plus(x, -y)].map(affine), *sums);
                assert_eq!(jacobian.has_x(x), a == b);
            }
        }
    }
}

#[test]
fn points_off_the_curve() {
    for number in numbers(100) {
        let on_curve = number < integer(P) && {
            let right = modulo(&(integer(Y).pow(2) - integer(X).pow(3) + integer(X) * 3), P);
            modulo(&(number.pow(2) - integer(X).pow(3) + integer(X) * 3), P) == right
        };
        assert_eq!(Affine::from_integers(&X, &to_words(&number)).is_some(), on_curve, "{number}");
        assert!(
            Affine::from_integers(&to_words(&number), &Y)
                .is_none_or(|point| integer(X) == value(Field::unpack(&point.x)))
        );
    }
    assert!(Affine::from_integers(&X, &to_words(&(integer(P) - integer(Y)))).is_some());
}

#[test]
fn sums_of_multiples() {
    let point = Some(coordinates(&generator()));
    let key = odd_multiples::<1>(&odd_multiples::<4>(&generator())[3])[0];
    let key_point = Some(coordinates(&key));
    let (table, key_tables) = (odd_multiples::<8>(&key), tables(&key));
    for pair in numbers(20).windows(2) {
        let factors = [to_words(&pair[0]), to_words(&pair[1])];
        let expected = added(&multiple(&pair[0], &point), &multiple(&pair[1], &key_point));
        let found = sum(&[Term::new(factors[0], 6, GENERATOR[0]), Term::new(factors[1], 5, &table)]);
        assert_eq!(affine(found), expected, "{pair:?}");
        let ([a, b, c, d], [e, f, g, h]) =
            (quarters(factors[0], GENERATOR), quarters(factors[1], key_tables.each_ref()));
        assert_eq!(affine(sum(&[a, b, c, d, e, f, g, h])), expected, "{pair:?}");
    }
}
