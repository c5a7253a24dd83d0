//! The acceptance rule of Ed25519 over its vector files (spec, 3.4).
//!
//! Plain functions over the public door, so that the same code runs natively (64-bit and vector curve backends) and
//! compiled to WebAssembly (32-bit backend): equal verdicts everywhere are what keeps a room in one piece.

use data_encoding::HEXLOWER;
use hublet::crypto::{Check, KeyError, PreparedKey, Signature, SignatureError, SigningKey, verify, verify_many};
use serde_json::Value;

const ACCEPTANCE: &str = include_str!("../vectors/ed25519-acceptance.json");
const RFC_8032: &str = include_str!("../vectors/rfc8032.json");

/// One row of `ed25519-acceptance.json`.
pub(crate) struct Case {
    /// What the row is about.
    pub(crate) name: String,
    /// The public key's encoding.
    pub(crate) key: [u8; 32],
    /// The signed bytes.
    pub(crate) message: Vec<u8>,
    /// R ‖ S.
    pub(crate) signature: Signature,
    /// `accept`, or the part of the rule that refuses.
    pub(crate) verdict: String,
    /// Whether R is what a verifier recomputes byte for byte, if it checks nothing else.
    pub(crate) bytes: bool,
    /// Whether the cofactorless equation holds between points, if nothing else is checked.
    pub(crate) points: bool,
    /// Whether the equation times eight holds, if nothing else is checked.
    pub(crate) cofactored: bool,
}

/// Every row of the vector file, in its order.
pub(crate) fn cases() -> Vec<Case> {
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
pub(crate) fn every_case_has_its_verdict_singly() {
    for case in cases() {
        assert_eq!(verdict_singly(&case), case.verdict, "{}", case.name);
    }
}

/// Each signature gets the same verdict among all the others, whatever their order and number.
pub(crate) fn every_case_has_its_verdict_together() {
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
pub(crate) fn every_check_is_needed() {
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
pub(crate) fn rfc_8032_vectors_hold() {
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
    HEXLOWER.decode(row[field].as_str().unwrap().as_bytes()).unwrap()
}

fn array<const N: usize>(row: &Value, field: &str) -> [u8; N] {
    bytes(row, field).try_into().unwrap()
}
