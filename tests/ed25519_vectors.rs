//! Writes `ed25519-acceptance.json`. Every verdict is stated by how the case is made, not asked of the code under test.
#![allow(clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used)]

use std::{fmt::Write, ops::Range};

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::EIGHT_TORSION,
    edwards::CompressedEdwardsY,
    traits::{Identity, IsIdentity},
};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use sha2::{Digest, Sha512};

const SOURCE: &str = "hublet, tests/ed25519_vectors.rs: made with curve25519-dalek 5.0 by adding points of small \
    order, second spellings and multiples of L to signatures made by hand; hexadecimal. verdict: accept, or the part of \
    the rule that refuses. bytes, points, cofactored: whether R is recomputed byte for byte, the cofactorless equation \
    holds between points, and eight times it, by a verifier that reduces S and checks nothing else";

#[test]
fn the_vector_file_is_what_this_writes() {
    assert_eq!(include_str!("vectors/ed25519-acceptance.json"), file());
}

#[test]
#[ignore = "writes the vector file"]
fn write_the_vector_file() {
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ed25519-acceptance.json"), file()).unwrap();
}

#[test]
fn ed25519_dalek_sees_the_equation_as_the_vectors_state_it() {
    for case in cases() {
        let Ok(key) = VerifyingKey::from_bytes(&case.parts.key) else {
            assert!(!case.points, "{}", case.name);
            continue;
        };
        let signature = Signature::from_components(case.parts.r, case.parts.s);
        let lax = key.verify(&case.parts.message, &signature).is_ok();
        assert_eq!(lax, case.bytes && case.verdict != "scalar_too_large", "{}", case.name);
        let strict = key.verify_strict(&case.parts.message, &signature).is_ok();
        assert_eq!(strict, case.verdict == "accept", "{}", case.name);
    }
}

fn file() -> String {
    let rows: Vec<String> = cases().iter().map(Case::row).collect();
    format!("{{\n \"source\": \"{SOURCE}\",\n \"cases\": [\n{}\n ]\n}}\n", rows.join(",\n"))
}

fn cases() -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    cases.ordinary();
    cases.damaged();
    cases.scalars();
    cases.keys_of_small_order();
    cases.other_keys();
    cases.points_of_small_order();
    cases.other_points();
    cases.mixed_keys();
    cases.mixed_points();
    cases.reduction_of_k();
    cases.0
}

struct Cases(Vec<Case>);

struct Case {
    name: String,
    verdict: &'static str,
    parts: Parts,
    bytes: bool,
    points: bool,
    cofactored: bool,
}

/// A signature in parts. `r` and `key` are encodings, so they may be second spellings.
#[derive(Clone)]
struct Parts {
    key: [u8; 32],
    message: Vec<u8>,
    r: [u8; 32],
    s: [u8; 32],
}

impl Cases {
    fn ordinary(&mut self) {
        for (n, length) in [0_usize, 1, 2, 47, 48, 111, 112, 300].into_iter().enumerate() {
            let message: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            self.push(format!("valid, message of {length} bytes"), "accept", &sign(n as u64, &message));
        }
        let top_bit = |bytes: &[u8; 32]| bytes[31] & 0x80 != 0;
        for (key_sign, r_sign) in [(false, false), (false, true), (true, false), (true, true)] {
            let parts = (100..)
                .map(|n| sign(n, b"signs"))
                .find(|parts| top_bit(&parts.key) == key_sign && top_bit(&parts.r) == r_sign);
            let name = format!("valid, sign of A {}, of R {}", u8::from(key_sign), u8::from(r_sign));
            self.push(name, "accept", &parts.unwrap());
        }
    }

    fn damaged(&mut self) {
        let good = sign(1, b"a message");
        let mut change = |name: &str, verdict: &'static str, change: &dyn Fn(&mut Parts)| {
            let mut parts = good.clone();
            change(&mut parts);
            self.push(name.to_string(), verdict, &parts);
        };
        change("before any damage", "accept", &|_| {});
        change("another message", "mismatch", &|parts| parts.message = b"b message".to_vec());
        change("message cut short", "mismatch", &|parts| parts.message.truncate(8));
        change("message one byte longer", "mismatch", &|parts| parts.message.push(0));
        change("another key", "mismatch", &|parts| parts.key = sign(2, b"").key);
        change("the key negated", "mismatch", &|parts| parts.key[31] ^= 0x80);
        change("R negated", "mismatch", &|parts| parts.r[31] ^= 0x80);
        change("S negated", "mismatch", &|parts| parts.s = (-scalar(parts.s)).to_bytes());
        change("R of another signature", "mismatch", &|parts| parts.r = sign(2, b"a message").r);
        change("S of another signature", "mismatch", &|parts| parts.s = sign(2, b"a message").s);
        change("S is zero", "mismatch", &|parts| parts.s = [0; 32]);
        for bit in [0, 1, 7, 128, 249] {
            change(&format!("bit {bit} of S flipped"), "mismatch", &|parts| parts.s[bit / 8] ^= 1 << (bit % 8));
        }
        for bit in [0, 7, 128, 254] {
            change(&format!("bit {bit} of R flipped"), "mismatch", &|parts| parts.r[bit / 8] ^= 1 << (bit % 8));
        }
        change("all zeros but the key", "small_order_r", &|parts| (parts.r, parts.s) = ([0; 32], [0; 32]));
    }

    fn scalars(&mut self) {
        let order = plus((-Scalar::ONE).to_bytes(), &[1]);
        let good = sign(3, b"scalars");
        let mut parts = good.clone();
        for n in 1..=15 {
            parts.s = plus(parts.s, &order);
            self.push(format!("S = s + {n} L"), "scalar_too_large", &parts);
        }
        let limits = [
            ("S = L", order, "scalar_too_large"),
            ("S = L − 1", minus_one(order), "mismatch"),
            ("S = L + 1", plus(order, &[1]), "scalar_too_large"),
            ("S = 2^252", power(252), "mismatch"),
            ("S = 2^253", power(253), "scalar_too_large"),
            ("S = 2^255", power(255), "scalar_too_large"),
            ("S = 2^256 − 1", [0xff; 32], "scalar_too_large"),
        ];
        for (name, s, verdict) in limits {
            self.push(name.to_string(), verdict, &Parts { s, ..good.clone() });
        }
    }

    fn keys_of_small_order(&mut self) {
        for (name, encoding) in small_order_encodings() {
            // Where k is a multiple of 8 the key drops out of the equation, and anyone can sign.
            let parts = search(
                |message| {
                    let nonce = nonce(4, message);
                    let r = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
                    Parts { key: encoding, message: message.to_vec(), r, s: nonce.to_bytes() }
                },
                |parts| residue(&parts.k()) == 0,
            );
            self.push(format!("A of small order, {name}"), "key_small_order", &parts);
        }
        // R recomputed from nothing: S = 0 and R = 0 under the identity.
        let mut identity = [0; 32];
        identity[0] = 1;
        let parts = Parts { key: identity, message: b"anything".to_vec(), r: identity, s: [0; 32] };
        self.push("A and R the identity, S zero".to_string(), "key_small_order", &parts);
    }

    fn other_keys(&mut self) {
        let good = sign(5, b"keys");
        for (name, key, on_curve) in second_spellings(2..19) {
            let on_curve = if on_curve { "" } else { ", not on the curve" };
            let parts = Parts { key, ..good.clone() };
            self.push(format!("A not canonical, {name}{on_curve}"), "key_not_canonical", &parts);
        }
        for y in [2, 7, 8] {
            let mut key = [0; 32];
            key[0] = y;
            assert!(CompressedEdwardsY(key).decompress().is_none());
            self.push(format!("A not on the curve, y = {y}"), "key_not_on_curve", &Parts { key, ..good.clone() });
        }
    }

    fn points_of_small_order(&mut self) {
        for (name, r) in small_order_encodings() {
            let point = CompressedEdwardsY(r).decompress().unwrap();
            let (a, public) = key_pair(6);
            // S = k a leaves the identity, which is R only once eight times it is taken.
            let parts = search(|message| with_s(public.compress().to_bytes(), message, r, |k| k * a), |_| true);
            self.push(format!("R of small order, {name}, ordinary A"), "small_order_r", &parts);
            // Under a mixed key it leaves minus k times the key's small part: every small R can be met.
            let mixed = (public + EIGHT_TORSION[1]).compress().to_bytes();
            let parts = search(
                |message| with_s(mixed, message, r, |k| k * a),
                |parts| -(EIGHT_TORSION[1] * parts.k()) == point,
            );
            self.push(format!("R of small order, {name}, mixed A that meets it"), "small_order_r", &parts);
        }
    }

    fn other_points(&mut self) {
        let good = sign(7, b"points");
        for (name, r, on_curve) in second_spellings(2..19) {
            let on_curve = if on_curve { "" } else { ", not on the curve" };
            self.push(format!("R not canonical, {name}{on_curve}"), "mismatch", &Parts { r, ..good.clone() });
        }
        let mut r = [0; 32];
        r[0] = 2;
        self.push("R not on the curve".to_string(), "mismatch", &Parts { r, ..good });
    }

    fn mixed_keys(&mut self) {
        let (a, public) = key_pair(8);
        for (torsion, order) in [(4, 2), (2, 4), (6, 4), (1, 8), (3, 8), (5, 8), (7, 8)] {
            let key = (public + EIGHT_TORSION[torsion]).compress().to_bytes();
            for wanted in 0..order {
                // R as for the ordinary key: off by k times the small part.
                let ordinary = |message: &[u8]| {
                    let nonce = nonce(8, message);
                    with_s(key, message, EdwardsPoint::mul_base(&nonce).compress().to_bytes(), |k| nonce + k * a)
                };
                let parts = search(ordinary, |parts| residue(&parts.k()) % order == wanted);
                let verdict = if wanted == 0 { "accept" } else { "mismatch" };
                self.push(
                    format!("A + point {torsion} of order {order}, k = {wanted} modulo {order}"),
                    verdict,
                    &parts,
                );
            }
            for wanted in 1..order {
                // R made up for it: the equation holds, and only with k as it is, neither negated nor unreduced.
                let made_up = |message: &[u8]| {
                    let nonce = nonce(9, message);
                    let r = EdwardsPoint::mul_base(&nonce) - EIGHT_TORSION[torsion] * Scalar::from(wanted);
                    with_s(key, message, r.compress().to_bytes(), |k| nonce + k * a)
                };
                let parts = search(made_up, |parts| residue(&parts.k()) % order == wanted);
                let name = format!("A + point {torsion} of order {order}, R − {wanted} times it, k fits");
                self.push(name, "accept", &parts);
            }
        }
    }

    fn mixed_points(&mut self) {
        let (a, public) = key_pair(10);
        let key = public.compress().to_bytes();
        for (torsion, small) in EIGHT_TORSION.iter().enumerate().skip(1) {
            let parts = search(
                |message| {
                    let nonce = nonce(10, message);
                    let r = EdwardsPoint::mul_base(&nonce) + small;
                    with_s(key, message, r.compress().to_bytes(), |k| nonce + k * a)
                },
                |_| true,
            );
            self.push(format!("R + point {torsion} of small order, ordinary A"), "mismatch", &parts);
        }
        // Two whose errors cancel in a sum with odd weights, as a batch verifier may take them.
        for n in [11, 12] {
            let (a, public) = key_pair(n);
            let nonce = nonce(n, b"pair");
            let r = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[4]).compress().to_bytes();
            let parts = with_s(public.compress().to_bytes(), b"pair", r, |k| nonce + k * a);
            self.push(format!("one of a pair whose errors of order 2 cancel, {}", n - 10), "mismatch", &parts);
        }
    }

    fn reduction_of_k(&mut self) {
        let (a, public) = key_pair(13);
        let key = (public + EIGHT_TORSION[1]).compress().to_bytes();
        let ordinary = |message: &[u8]| {
            let nonce = nonce(13, message);
            with_s(key, message, EdwardsPoint::mul_base(&nonce).compress().to_bytes(), |k| nonce + k * a)
        };
        let parts = search(ordinary, |parts| residue(&parts.k()) == 0 && parts.hash()[0] % 8 != 0);
        self.push("mixed A, k a multiple of 8 only when reduced modulo L".to_string(), "accept", &parts);
        let parts = search(ordinary, |parts| residue(&parts.k()) != 0 && parts.hash()[0] % 8 == 0);
        self.push("mixed A, k a multiple of 8 only when not reduced".to_string(), "mismatch", &parts);
        let parts = search(ordinary, |parts| residue(&parts.k()) != 0 && residue(&-parts.k()) == 0);
        self.push("mixed A, k a multiple of 8 only when negated modulo L".to_string(), "mismatch", &parts);
    }

    fn push(&mut self, name: String, verdict: &'static str, parts: &Parts) {
        let recomputed = CompressedEdwardsY(parts.key)
            .decompress()
            .map(|key| EdwardsPoint::mul_base(&scalar(parts.s)) - key * parts.k());
        let bytes = recomputed.is_some_and(|point| point.compress().to_bytes() == parts.r);
        let difference = recomputed.zip(CompressedEdwardsY(parts.r).decompress()).map(|(point, r)| point - r);
        let points = difference.is_some_and(|point| point.is_identity());
        let cofactored = difference.is_some_and(|point| point.mul_by_cofactor().is_identity());
        self.0.push(Case { name, verdict, parts: parts.clone(), bytes, points, cofactored });
    }
}

impl Case {
    fn row(&self) -> String {
        let Self { name, verdict, parts, bytes, points, cofactored } = self;
        let mut row = format!("  {{\"name\": \"{name}\", \"verdict\": \"{verdict}\", ");
        write!(row, "\"bytes\": {bytes}, \"points\": {points}, \"cofactored\": {cofactored}, ").unwrap();
        write!(row, "\"key\": \"{}\", \"message\": \"{}\", ", hex(&parts.key), hex(&parts.message)).unwrap();
        write!(row, "\"signature\": \"{}{}\"}}", hex(&parts.r), hex(&parts.s)).unwrap();
        row
    }
}

impl Parts {
    fn hash(&self) -> [u8; 64] {
        Sha512::new().chain_update(self.r).chain_update(self.key).chain_update(&self.message).finalize().into()
    }

    fn k(&self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.hash())
    }
}

/// A signature as RFC 8032 makes it, but for where the secret and the nonce come from.
fn sign(n: u64, message: &[u8]) -> Parts {
    let (a, public) = key_pair(n);
    let nonce = nonce(n, message);
    let r = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    with_s(public.compress().to_bytes(), message, r, |k| nonce + k * a)
}

fn with_s(key: [u8; 32], message: &[u8], r: [u8; 32], s: impl Fn(Scalar) -> Scalar) -> Parts {
    let parts = Parts { key, message: message.to_vec(), r, s: [0; 32] };
    let s = s(parts.k()).to_bytes();
    Parts { s, ..parts }
}

/// The first of the messages 0, 1, 2 … in decimal whose signature fits.
fn search(make: impl Fn(&[u8]) -> Parts, fits: impl Fn(&Parts) -> bool) -> Parts {
    (0..).map(|n: u32| make(n.to_string().as_bytes())).find(fits).unwrap()
}

fn key_pair(n: u64) -> (Scalar, EdwardsPoint) {
    let secret = hash_to_scalar(b"secret", n, b"");
    (secret, EdwardsPoint::mul_base(&secret))
}

fn nonce(n: u64, message: &[u8]) -> Scalar {
    hash_to_scalar(b"nonce", n, message)
}

fn hash_to_scalar(label: &[u8], n: u64, message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(label).chain_update(n.to_le_bytes()).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// The 14 encodings that decode to a point of small order.
fn small_order_encodings() -> Vec<(String, [u8; 32])> {
    let mut all: Vec<(String, [u8; 32])> = Vec::new();
    for (n, point) in EIGHT_TORSION.iter().enumerate() {
        let canonical = point.compress().to_bytes();
        let order = (0..).find(|&i| (0..1 << i).fold(EdwardsPoint::identity(), |sum, _| sum + point).is_identity());
        all.push((format!("point {n} of order {}", 1 << order.unwrap()), canonical));
        let mut signed = canonical;
        signed[31] ^= 0x80;
        if CompressedEdwardsY(signed).decompress().unwrap() == *point {
            all.push((format!("point {n} with a sign on x = 0"), signed));
        }
        let mut y = canonical;
        y[31] &= 0x7f;
        if y[0] < 19 && y[1..].iter().all(|&byte| byte == 0) {
            let mut second = plus(prime(), &y[..1]);
            second[31] |= canonical[31] & 0x80;
            all.push((format!("point {n} as y + p"), second));
            second[31] ^= 0x80;
            if CompressedEdwardsY(second).decompress().unwrap() == *point {
                all.push((format!("point {n} as y + p with a sign on x = 0"), second));
            }
        }
    }
    assert_eq!(all.len(), 14);
    all
}

/// The encodings of y + p with either sign, for each small y.
fn second_spellings(ys: Range<u8>) -> Vec<(String, [u8; 32], bool)> {
    let mut all = Vec::new();
    for y in ys {
        for sign in [0, 0x80] {
            let mut bytes = plus(prime(), &[y]);
            bytes[31] |= sign;
            let on_curve = CompressedEdwardsY(bytes).decompress().is_some();
            all.push((format!("y = p + {y}, sign {}", sign >> 7), bytes, on_curve));
        }
    }
    all
}

fn prime() -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed, 0x7f);
    bytes
}

fn residue(k: &Scalar) -> u64 {
    u64::from(k.as_bytes()[0] % 8)
}

fn scalar(bytes: [u8; 32]) -> Scalar {
    Scalar::from_bytes_mod_order(bytes)
}

fn power(exponent: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[exponent / 8] = 1 << (exponent % 8);
    bytes
}

fn plus(mut bytes: [u8; 32], addend: &[u8]) -> [u8; 32] {
    let mut carry = 0;
    for (n, byte) in bytes.iter_mut().enumerate() {
        carry += u16::from(*byte) + u16::from(addend.get(n).copied().unwrap_or(0));
        *byte = (carry & 0xff) as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    bytes
}

fn minus_one(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[0] = bytes[0].checked_sub(1).unwrap();
    bytes
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
