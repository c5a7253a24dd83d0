//! The acceptance rule of Ed25519 over its vector files (spec, 3.4).
//!
//! It also runs compiled to WebAssembly, on the 32-bit curve backend; natively it runs on a 64-bit or vector one. Equal
//! verdicts everywhere are what keeps a room in one piece. Natively on the 32-bit backend:
//! `RUSTFLAGS='--cfg curve25519_dalek_bits="32" --cfg curve25519_dalek_backend="serial"' cargo test --test ed25519_acceptance`
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use hublet::crypto::{Check, KeyError, PreparedKey, Signature, SignatureError, SigningKey, verify, verify_many};
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ACCEPTANCE: &str = include_str!("vectors/ed25519-acceptance.json");
const RFC_8032: &str = include_str!("vectors/rfc8032.json");

/// One row of `ed25519-acceptance.json`.
struct Case {
    /// What the row is about.
    name: String,
    /// The public key's encoding.
    key: [u8; 32],
    /// The signed bytes.
    message: Vec<u8>,
    /// R ‖ S.
    signature: Signature,
    /// `accept`, or the part of the rule that refuses.
    verdict: String,
    /// Whether R is what a verifier recomputes byte for byte, if it checks nothing else.
    bytes: bool,
    /// Whether the cofactorless equation holds between points, if nothing else is checked.
    points: bool,
    /// Whether the equation times eight holds, if nothing else is checked.
    cofactored: bool,
}

fn cases() -> Vec<Case> {
    rows(ACCEPTANCE, "cases")
        .iter()
        .map(|row| Case {
            name: text(row, "name"),
            key: array(row, "key"),
            message: bytes(row, "message"),
            signature: Signature::from_bytes(array(row, "signature")),
            verdict: text(row, "verdict"),
            bytes: flag(row, "bytes"),
            points: flag(row, "points"),
            cofactored: flag(row, "cofactored"),
        })
        .collect()
}

/// Each signature gets the verdict that the file states, one at a time.
#[test]
fn spec_3_4_every_case_has_its_verdict_singly() {
    for case in cases() {
        assert_eq!(verdict_singly(&case), case.verdict, "{}", case.name);
    }
}

/// Each signature gets the same verdict however often its key was used: a key that is used often is multiplied another way.
#[test]
fn spec_3_4_every_case_has_its_verdict_again_and_again() {
    for case in cases() {
        let Ok(key) = PreparedKey::prepare(&case.key) else { continue };
        for _ in 0..40 {
            assert_eq!(name_of(verify(&key, &case.message, &case.signature)), case.verdict, "{}", case.name);
        }
    }
}

/// Each signature gets the same verdict among all the others, whatever their order and number.
#[test]
fn spec_3_4_every_case_has_its_verdict_together() {
    let cases = cases();
    let prepared: Vec<(&Case, PreparedKey)> =
        cases.iter().filter_map(|case| Some((case, PreparedKey::prepare(&case.key).ok()?))).collect();
    assert!(prepared.len() > 64, "more than one chunk");

    let forward: Vec<_> = prepared.iter().collect();
    let backward: Vec<_> = prepared.iter().rev().collect();
    let thrice: Vec<_> = prepared.iter().cycle().take(prepared.len() * 3).collect();
    for order in [&forward, &backward, &thrice] {
        for length in [0, 1, 2, 3, 63, 64, 65, order.len()] {
            check_together(&order[..length]);
        }
    }
    for pair in forward.windows(2) {
        check_together(pair);
        check_together(&[pair[0], pair[0], pair[1], pair[1]]);
    }
}

/// The file holds, for each check of the rule, signatures that only this check refuses.
#[test]
fn spec_3_4_every_check_is_needed() {
    let cases = cases();
    let count = |wanted: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| wanted(case)).count();
    assert!(count(&|case| case.verdict == "accept") >= 20);
    assert!(count(&|case| case.verdict == "key_small_order" && case.bytes) >= 14);
    assert!(count(&|case| case.verdict == "small_order_r" && case.bytes) >= 8);
    assert!(count(&|case| case.verdict == "small_order_r" && case.points) >= 14);
    assert!(count(&|case| case.verdict == "scalar_too_large" && case.bytes) >= 4);
    assert!(count(&|case| case.verdict == "mismatch" && case.cofactored) >= 20);
    assert!(count(&|case| case.verdict == "mismatch" && !case.cofactored) >= 10);
    assert!(count(&|case| case.verdict == "key_not_canonical") >= 10);
    assert!(count(&|case| case.verdict == "key_not_on_curve") >= 1);
    for case in &cases {
        assert!(case.verdict != "accept" || (case.bytes && case.points && case.cofactored), "{}", case.name);
        assert!(case.verdict != "mismatch" || !case.bytes, "{}", case.name);
    }
}

/// The published vectors: derivation, signing and verification.
#[test]
fn rfc_8032_vectors_hold() {
    let rows = rows(RFC_8032, "ed25519");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let ours = SigningKey::from_seed(&array(&row, "seed"));
        let message = bytes(&row, "message");
        let signature = Signature::from_bytes(array(&row, "signature"));
        assert_eq!(ours.public(), array(&row, "key"), "{}", text(&row, "name"));
        assert_eq!(ours.sign(&message), signature, "{}", text(&row, "name"));
        let key = PreparedKey::prepare(&ours.public()).unwrap();
        assert_eq!(verify(&key, &message, &signature), Ok(()));
        let mut longer = message;
        longer.push(0);
        assert_eq!(verify(&key, &longer, &signature), Err(SignatureError::Mismatch));
    }
}

fn check_together(cases: &[&(&Case, PreparedKey)]) {
    let checks: Vec<_> =
        cases.iter().map(|(case, key)| Check { key, message: &case.message, signature: &case.signature }).collect();
    let verdicts = verify_many(&checks);
    assert_eq!(verdicts.len(), cases.len());
    for ((case, key), verdict) in cases.iter().zip(verdicts) {
        assert_eq!(verdict, verify(key, &case.message, &case.signature), "{}", case.name);
        assert_eq!(name_of(verdict), case.verdict, "{}", case.name);
    }
}

fn verdict_singly(case: &Case) -> &'static str {
    match PreparedKey::prepare(&case.key) {
        Ok(key) => {
            assert_eq!(key.bytes(), case.key, "{}", case.name);
            name_of(verify(&key, &case.message, &case.signature))
        }
        Err(KeyError::SmallOrder) => "key_small_order",
        Err(KeyError::NotCanonical) => "key_not_canonical",
        Err(KeyError::NotOnCurve) => "key_not_on_curve",
        Err(other) => panic!("{other}"),
    }
}

fn name_of(verdict: Result<(), SignatureError>) -> &'static str {
    match verdict {
        Ok(()) => "accept",
        Err(SignatureError::ScalarTooLarge) => "scalar_too_large",
        Err(SignatureError::SmallOrderR) => "small_order_r",
        Err(SignatureError::Mismatch) => "mismatch",
        Err(other) => panic!("{other}"),
    }
}

fn rows(file: &str, list: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    assert!(file["source"].is_string());
    file[list].as_array().unwrap().clone()
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap().into()
}

fn flag(row: &Value, field: &str) -> bool {
    row[field].as_bool().unwrap()
}

fn bytes(row: &Value, field: &str) -> Vec<u8> {
    let digits = row[field].as_str().unwrap().as_bytes();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16));
    pairs.collect::<Result<_, _>>().unwrap()
}

fn array<const N: usize>(row: &Value, field: &str) -> [u8; N] {
    bytes(row, field).try_into().unwrap()
}
