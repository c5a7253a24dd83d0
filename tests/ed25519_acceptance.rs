//! The acceptance rule of Ed25519 (spec, 3.4): the vectors natively, against ed25519-dalek's own verifiers, and where
//! the vectors come from.
//!
//! To run it on the curve backend that WebAssembly uses:
//! `RUSTFLAGS='--cfg curve25519_dalek_bits="32" --cfg curve25519_dalek_backend="serial"' cargo test --test ed25519_acceptance`
#![cfg(not(feature = "null-crypto"))]
#![allow(clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "suites/ed25519_acceptance.rs"]
mod suite;
#[path = "suites/ed25519_vectors.rs"]
mod vectors;

use ed25519_dalek::{Signature, Verifier, VerifyingKey};

#[test]
fn spec_3_4_every_case_has_its_verdict_singly() {
    suite::every_case_has_its_verdict_singly();
}

#[test]
fn spec_3_4_every_case_has_its_verdict_together() {
    suite::every_case_has_its_verdict_together();
}

#[test]
fn spec_3_4_every_check_is_needed() {
    suite::every_check_is_needed();
}

#[test]
fn rfc_8032_vectors_hold() {
    suite::rfc_8032_vectors_hold();
}

#[test]
fn ed25519_dalek_sees_the_equation_as_the_vectors_state_it() {
    for case in suite::cases() {
        let Ok(key) = VerifyingKey::from_bytes(&case.key) else {
            assert!(!case.points, "{}", case.name);
            continue;
        };
        let signature = Signature::from_bytes(&case.signature.to_bytes());
        let lax = key.verify(&case.message, &signature).is_ok();
        assert_eq!(lax, case.bytes && case.verdict != "scalar_too_large", "{}", case.name);
        let strict = key.verify_strict(&case.message, &signature).is_ok();
        assert_eq!(strict, case.verdict == "accept", "{}", case.name);
    }
}

#[test]
fn the_vector_file_is_what_its_generator_writes() {
    assert_eq!(include_str!("vectors/ed25519-acceptance.json"), vectors::file());
}

#[test]
#[ignore = "writes the vector file"]
fn write_the_vector_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ed25519-acceptance.json");
    std::fs::write(path, vectors::file()).unwrap();
}
