//! Multiples of a point, kept so that multiplying it again takes a tenth of the doublings.
//!
//! A scalar is written with 44 signed digits of six bits, and every fourth digit has a row of multiples of its own: 86 additions and 18 doublings make
//! \[k]P + \[s]B, where the usual way takes 253 doublings. That is the same sum of the same points, so it is the same point, whatever the order of P.
//! None of this takes the same time for all scalars: it is for verifying alone.

use alloc::{boxed::Box, vec::Vec};

use curve25519_dalek::{constants::ED25519_BASEPOINT_POINT, edwards::EdwardsPoint, scalar::Scalar};
use once_cell::race::OnceBox;

/// Digits from −31 to 32, six bits of the scalar each.
const BITS: u32 = 6;
const MULTIPLES: usize = 32;

/// Four digits are three bytes of the scalar, and share a row of multiples.
const COLUMNS: usize = 4;
const BYTES_OF_A_ROW: usize = 3;
const ROWS: usize = 11;

/// Those of the base point, which every signature needs; made when the first key is used often.
static OF_BASE: OnceBox<Multiples> = OnceBox::new();

/// Of a point P: in the row of number n, \[1]Q to \[32]Q for Q = \[2^24n]P. 56 kB.
pub(super) struct Multiples(Box<[[EdwardsPoint; MULTIPLES]]>);

impl Multiples {
    /// Makes them; that costs as much as three verifications.
    pub(super) fn of(point: &EdwardsPoint) -> Self {
        let mut first = *point;
        let mut rows = Vec::with_capacity(ROWS);
        for _ in 0..ROWS {
            let mut row = [first; MULTIPLES];
            let mut sum = first;
            for multiple in row.iter_mut().skip(1) {
                sum += first;
                *multiple = sum;
            }
            rows.push(row);
            // Three doublings each.
            for _ in 0..8 {
                first = first.mul_by_cofactor();
            }
        }
        Self(rows.into())
    }

    /// \[k]P + \[s]B.
    pub(super) fn plus_base(&self, k: &Scalar, s: &Scalar) -> EdwardsPoint {
        let base = OF_BASE.get_or_init(|| Box::new(Self::of(&ED25519_BASEPOINT_POINT)));
        let mut sum = EdwardsPoint::default();
        for (of_k, of_s) in digits(k).iter().zip(&digits(s)).rev() {
            sum = sum.mul_by_cofactor().mul_by_cofactor();
            self.add(&mut sum, of_k);
            base.add(&mut sum, of_s);
        }
        sum
    }

    fn add(&self, sum: &mut EdwardsPoint, column: &[i8; ROWS]) {
        for (row, digit) in self.0.iter().zip(column) {
            let Some(multiple) = usize::from(digit.unsigned_abs()).checked_sub(1).and_then(|at| row.get(at)) else {
                continue;
            };
            if *digit > 0 {
                *sum += multiple;
            } else {
                *sum -= multiple;
            }
        }
    }
}

/// The digits of a scalar below 2^253, lowest column first; each column has one of every row.
fn digits(scalar: &Scalar) -> [[i8; ROWS]; COLUMNS] {
    let mut columns = [[0; ROWS]; COLUMNS];
    let mut carry = 0;
    for (row, bytes) in scalar.as_bytes().chunks(BYTES_OF_A_ROW).enumerate() {
        let mut bits = bytes.iter().rev().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for column in &mut columns {
            let digit = i8::try_from(bits & 0x3f).unwrap_or_default().saturating_add(carry);
            carry = i8::from(digit > 32);
            if let Some(place) = column.get_mut(row) {
                *place = digit.saturating_sub(carry.saturating_mul(64));
            }
            bits >>= BITS;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::{Multiples, digits};
    use curve25519_dalek::{
        constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
        edwards::EdwardsPoint,
        scalar::Scalar,
    };
    use proptest::prelude::*;
    use std::vec::Vec;

    fn small_and_large() -> Vec<Scalar> {
        let small = (0_u64..=70).chain([(1 << 24) - 1, 1 << 24, u64::MAX]).map(Scalar::from);
        small.flat_map(|scalar| [scalar, -scalar]).collect()
    }

    #[test]
    fn digits_make_their_scalar() {
        for scalar in small_and_large() {
            let mut sum = Scalar::ZERO;
            for row in (0..super::ROWS).rev() {
                for column in digits(&scalar).iter().rev() {
                    let digit = column[row];
                    assert!((-31..=32).contains(&digit));
                    let size = Scalar::from(digit.unsigned_abs());
                    sum = sum * Scalar::from(64_u8) + if digit < 0 { -size } else { size };
                }
            }
            assert_eq!(sum, scalar);
        }
    }

    /// Points of every order: a component of small order decides verdicts (spec, 3.4).
    #[test]
    fn spec_3_4_sums_are_those_of_the_curve_library() {
        let scalars = small_and_large();
        for torsion in EIGHT_TORSION {
            for point in [torsion, torsion + ED25519_BASEPOINT_POINT * Scalar::from(77_u8)] {
                let multiples = Multiples::of(&point);
                for (k, s) in scalars.iter().zip(scalars.iter().rev()) {
                    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(k, &point, s);
                    assert_eq!(multiples.plus_base(k, s).compress(), expected.compress());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn spec_3_4_sums_agree_for_any_scalars(p: [u8; 32], k: [u8; 64], s: [u8; 64], torsion in 0_usize..8) {
            let point = ED25519_BASEPOINT_POINT * Scalar::from_bytes_mod_order(p) + EIGHT_TORSION[torsion];
            let (k, s) = (Scalar::from_bytes_mod_order_wide(&k), Scalar::from_bytes_mod_order_wide(&s));
            let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &point, &s);
            prop_assert_eq!(Multiples::of(&point).plus_base(&k, &s).compress(), expected.compress());
        }
    }
}
