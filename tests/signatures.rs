//! Signing and verifying as one (spec, 3.4): what is signed verifies, and nothing else does.
#![cfg(not(feature = "null-crypto"))]
#![allow(clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used)]

use curve25519_dalek::{EdwardsPoint, Scalar, constants::EIGHT_TORSION};
use ed25519_dalek::VerifyingKey;
use hublet::{
    crypto::{Check, PreparedKey, Signature, SignatureError, SigningKey, verify, verify_many},
    id::base64,
    json::{KeyOrder, Limits, parse},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::Value;

fn key_of(seed: &[u8; 32]) -> PreparedKey {
    PreparedKey::prepare(&SigningKey::from_seed(seed).public()).unwrap()
}

fn matrix_vectors() -> Value {
    serde_json::from_str(include_str!("vectors/matrix-signing.json")).unwrap()
}

/// The published seed has a spare bit set, which no key, hash or signature may have.
fn seed_of(text: &str) -> [u8; 32] {
    assert!(base64::decode_lenient(text).is_err());
    let mut forgiving = data_encoding::BASE64_NOPAD.specification();
    forgiving.check_trailing_bits = false;
    forgiving.encoding().unwrap().decode(text.as_bytes()).unwrap().try_into().unwrap()
}

#[test]
fn matrix_signing_vectors_hold_over_their_signed_bytes() {
    let vectors = matrix_vectors();
    let seed = seed_of(vectors["seed_unpadded_base64"].as_str().unwrap());
    let ours = SigningKey::from_seed(&seed);
    assert_eq!(base64::encode(&ours.public()), vectors["public_key_unpadded_base64"].as_str().unwrap());
    let key = key_of(&seed);
    let json = vectors["json_signing"].as_array().unwrap().iter().map(|row| (row, "signed_bytes"));
    let events = vectors["event_signing"].as_array().unwrap().iter().map(|row| (row, "redacted_signed_bytes"));
    let mut count = 0;
    for (row, field) in json.chain(events) {
        let message = row[field].as_str().unwrap().as_bytes();
        let text = row["signature"].as_str().unwrap();
        assert_eq!(ours.sign(message).to_text(), text);
        assert_eq!(verify(&key, message, &Signature::parse(text).unwrap()), Ok(()));
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn matrix_json_signing_vectors_hold_from_their_objects() {
    let vectors = matrix_vectors();
    let ours = SigningKey::from_seed(&seed_of(vectors["seed_unpadded_base64"].as_str().unwrap()));
    for row in vectors["json_signing"].as_array().unwrap() {
        let text = serde_json::to_string_pretty(&row["object"]).unwrap();
        let limits = Limits { bytes: 1_000, depth: 10 };
        let canonical = parse(text.as_bytes(), KeyOrder::Utf16, limits).unwrap();
        assert_eq!(canonical.bytes(), row["signed_bytes"].as_str().unwrap().as_bytes());
        assert_eq!(ours.sign(canonical.bytes()).to_text(), row["signature"].as_str().unwrap());
    }
}

#[test]
fn one_bit_anywhere_spoils_a_signature() {
    let seed = [5; 32];
    let (ours, key, message) = (SigningKey::from_seed(&seed), key_of(&seed), b"{\"one\":1,\"two\":\"Two\"}");
    let good = ours.sign(message).to_bytes();
    assert_eq!(verify(&key, message, &Signature::from_bytes(good)), Ok(()));
    for bit in 0..512 {
        let mut bytes = good;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&key, message, &Signature::from_bytes(bytes)).is_err(), "bit {bit}");
    }
}

/// What may be done to a good signature, its key or its message.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Signature(prop::sample::Index, u8),
    Scalar([u8; 32]),
    Point([u8; 32]),
    SmallOrder(usize),
    OtherSeed([u8; 32]),
    Message(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::None),
        (any::<prop::sample::Index>(), 1_u8..).prop_map(|(index, mask)| Damage::Signature(index, mask)),
        any::<[u8; 32]>().prop_map(Damage::Scalar),
        any::<[u8; 32]>().prop_map(Damage::Point),
        (1_usize..8).prop_map(Damage::SmallOrder),
        any::<[u8; 32]>().prop_map(Damage::OtherSeed),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Damage::Message),
    ]
}

/// A key, a message and a signature, and whether they belong together.
fn apply(seed: [u8; 32], message: Vec<u8>, damage: Damage) -> (PreparedKey, Vec<u8>, Signature, bool) {
    let mut bytes = SigningKey::from_seed(&seed).sign(&message).to_bytes();
    let before = (seed, message.clone(), bytes);
    let (mut signer, mut signed) = (seed, message);
    match damage {
        Damage::None => {}
        Damage::Signature(index, mask) => bytes[index.index(64)] ^= mask,
        Damage::Scalar(s) => bytes[32..].copy_from_slice(&s),
        Damage::Point(r) => bytes[..32].copy_from_slice(&r),
        Damage::SmallOrder(n) => {
            let mut r = [0; 32];
            r.copy_from_slice(&bytes[..32]);
            let point = curve25519_dalek::edwards::CompressedEdwardsY(r).decompress().unwrap() + EIGHT_TORSION[n];
            bytes[..32].copy_from_slice(point.compress().as_bytes());
        }
        Damage::OtherSeed(other) => signer = other,
        Damage::Message(other) => signed = other,
    }
    let intact = before == (signer, signed.clone(), bytes);
    (key_of(&signer), signed, Signature::from_bytes(bytes), intact)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn only_what_was_signed_verifies(
        rows in prop::collection::vec((any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..40), damage()), 0..12)
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(seed, message, damage)| apply(seed, message, damage)).collect();
        let checks: Vec<_> = rows.iter().map(|(key, message, signature, _)| Check { key, message, signature }).collect();
        let together = verify_many(&checks);
        prop_assert_eq!(together.len(), rows.len());
        for ((key, message, signature, intact), verdict) in rows.iter().zip(together) {
            prop_assert_eq!(verify(key, message, signature), verdict);
            prop_assert_eq!(verdict.is_ok(), *intact);
            let oracle = VerifyingKey::from_bytes(&key.bytes()).unwrap();
            let theirs = ed25519_dalek::Signature::from_bytes(&signature.to_bytes());
            prop_assert_eq!(verdict.is_ok(), oracle.verify_strict(message, &theirs).is_ok());
        }
    }

    #[test]
    fn keys_with_a_small_part_are_judged_as_ed25519_dalek_judges_them(
        secret: [u8; 32], nonce: [u8; 32], key_part in 0_usize..8, point_part in 0_usize..8, message: [u8; 4]
    ) {
        let (secret, nonce) = (Scalar::from_bytes_mod_order(secret), Scalar::from_bytes_mod_order(nonce));
        let key = (EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[key_part]).compress().to_bytes();
        let r = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[point_part]).compress().to_bytes();
        let hash = <sha2::Sha512 as sha2::Digest>::digest([&r[..], &key, &message].concat());
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        let s = (nonce + k * secret).to_bytes();
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&r);
        bytes[32..].copy_from_slice(&s);
        let oracle = VerifyingKey::from_bytes(&key).unwrap();
        let strict = oracle.verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&bytes)).is_ok();
        let verdict = PreparedKey::prepare(&key).map(|key| verify(&key, &message, &Signature::from_bytes(bytes)));
        prop_assert_eq!(verdict == Ok(Ok(())), strict);
        prop_assert!(strict || verdict.is_err() || verdict == Ok(Err(SignatureError::Mismatch))
            || verdict == Ok(Err(SignatureError::SmallOrderR)));
    }

    #[test]
    fn preparing_agrees_with_decoding_and_encoding_again(bytes: [u8; 32]) {
        let decoded = curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress();
        let acceptable = decoded.is_some_and(|point| point.compress().to_bytes() == bytes && !point.is_small_order());
        prop_assert_eq!(PreparedKey::prepare(&bytes).is_ok(), acceptable);
    }

    #[test]
    fn no_bytes_panic(key: [u8; 32], message: Vec<u8>, low: [u8; 32], high: [u8; 32]) {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&low);
        bytes[32..].copy_from_slice(&high);
        let signature = Signature::from_bytes(bytes);
        prop_assert_eq!(Signature::parse(&signature.to_text()), Ok(signature));
        if let Ok(key) = PreparedKey::prepare(&key) {
            prop_assert!(verify(&key, &message, &signature).is_err());
        }
    }
}
