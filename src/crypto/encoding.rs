//! What can be said of 32 bytes without any curve arithmetic: parts 1 to 3 of the acceptance rule (spec, 3.4).

/// L, the order of the base point, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// p = 2^255 − 19, little-endian.
const PRIME: [u8; 32] = nearly(0xed, 0xff, 0x7f);

/// Every y below 2^255 that is, modulo p, the y of a point of small order. With either sign bit they make all the 14
/// encodings that decode to such a point.
const SMALL_ORDER_Y: [[u8; 32]; 7] = [
    // Order 4: y = 0, and its second spelling p.
    nearly(0, 0, 0),
    PRIME,
    // Order 1: y = 1, and its second spelling p + 1.
    nearly(1, 0, 0),
    nearly(0xee, 0xff, 0x7f),
    // Order 2: y = −1.
    nearly(0xec, 0xff, 0x7f),
    // Order 8: the two opposite roots.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether S is below L.
pub(super) fn is_reduced_scalar(s: &[u8; 32]) -> bool {
    is_below(s, &ORDER)
}

/// Whether the bytes are one of the 14 encodings of a point of small order.
pub(super) fn is_small_order(point: &[u8; 32]) -> bool {
    SMALL_ORDER_Y.contains(&without_sign(point))
}

/// Whether y is below p. Together with not being of small order (where x = 0 could carry a sign) this is canonical.
pub(super) fn is_reduced_y(point: &[u8; 32]) -> bool {
    is_below(&without_sign(point), &PRIME)
}

fn without_sign(point: &[u8; 32]) -> [u8; 32] {
    let [low @ .., top] = *point;
    let mut y = [0; 32];
    let [y_low @ .., y_top] = &mut y;
    *y_low = low;
    *y_top = top & 0x7f;
    y
}

fn is_below(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

const fn nearly(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    let [low, .., top] = &mut bytes;
    *low = first;
    *top = last;
    bytes
}

#[cfg(test)]
mod tests {
    use super::{ORDER, PRIME, is_reduced_scalar, is_reduced_y, is_small_order};
    use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY, scalar::Scalar};
    use std::collections::BTreeSet;

    fn plus(mut bytes: [u8; 32], n: u8) -> [u8; 32] {
        let mut carry = u16::from(n);
        for byte in &mut bytes {
            carry += u16::from(*byte);
            *byte = carry as u8;
            carry >>= 8;
        }
        bytes
    }

    fn minus_one(mut bytes: [u8; 32]) -> [u8; 32] {
        assert!(bytes[0] > 0);
        bytes[0] -= 1;
        bytes
    }

    #[test]
    fn spec_3_4_scalars_are_below_the_order() {
        assert!(is_reduced_scalar(&[0; 32]));
        assert!(is_reduced_scalar(&minus_one(ORDER)));
        assert!(!is_reduced_scalar(&ORDER));
        assert!(!is_reduced_scalar(&plus(ORDER, 1)));
        assert!(!is_reduced_scalar(&[0xff; 32]));
        assert_eq!((-Scalar::ONE).to_bytes(), minus_one(ORDER), "L − 1 as the curve library has it");
    }

    #[test]
    fn spec_3_4_reduced_y_is_below_the_prime() {
        assert!(is_reduced_y(&minus_one(PRIME)));
        assert!(!is_reduced_y(&PRIME));
        for n in 0..19 {
            let mut bytes = plus(PRIME, n);
            assert!(!is_reduced_y(&bytes));
            bytes[31] |= 0x80;
            assert!(!is_reduced_y(&bytes));
        }
    }

    #[test]
    fn spec_3_4_the_list_has_every_encoding_of_every_small_order_point() {
        let mut found = BTreeSet::new();
        // Every y below 2^255 that equals a torsion point's y modulo p is that y, or that y + p where this fits.
        for point in EIGHT_TORSION {
            let mut y = point.compress().to_bytes();
            y[31] &= 0x7f;
            let mut spellings = std::vec![y];
            if y[1..].iter().all(|&b| b == 0) && y[0] < 19 {
                spellings.push(plus(PRIME, y[0]));
            }
            for mut spelling in spellings {
                found.insert(spelling);
                spelling[31] |= 0x80;
                found.insert(spelling);
            }
        }
        assert_eq!(found.len(), 14);
        for encoding in &found {
            assert!(is_small_order(encoding), "{encoding:02x?}");
            let point = CompressedEdwardsY(*encoding).decompress().unwrap();
            assert!(point.is_small_order());
        }
        for n in 2..=20 {
            let bytes = plus([0; 32], n);
            assert!(!is_small_order(&bytes));
        }
    }
}
