//! What a signature costs: `cargo bench --bench crypto`. Messages have 800 bytes, about what an event signs.
#![allow(clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

mod report;

use std::hint::black_box;

#[cfg(not(target_family = "wasm"))]
use criterion::{criterion_group, criterion_main};
use ed25519_dalek::{Verifier, VerifyingKey};
use hublet::crypto::{Check, PreparedKey, Signature, SignatureError, SigningKey, verify, verify_many};
use report::{Bench, measure};

const MANY: u8 = 64;

struct Signed {
    message: Vec<u8>,
    signature: Signature,
}

fn signed(ours: &SigningKey) -> Vec<Signed> {
    (0..MANY)
        .map(|n| {
            let message = vec![n; 800];
            let signature = ours.sign(&message);
            Signed { message, signature }
        })
        .collect()
}

fn signatures(bench: &mut Bench) {
    let ours = SigningKey::from_seed(&[7; 32]);
    let bytes = ours.public();
    let key = PreparedKey::prepare(&bytes).unwrap();
    let all = signed(&ours);
    let mut turn = all.iter().cycle();
    let mut next = || turn.next().unwrap();

    let wrong = verify(&key, &all[0].message, &all[1].signature);
    assert_eq!(wrong, Err(SignatureError::Mismatch), "a bench of a verifier that accepts all is worth nothing");

    measure(bench, "crypto_sign", 1, || {
        let expected = next();
        assert_eq!(ours.sign(&expected.message), expected.signature);
    });
    measure(bench, "crypto_prepare", 1, || {
        assert_eq!(PreparedKey::prepare(black_box(&bytes)).as_ref(), Ok(&key));
    });
    measure(bench, "crypto_verify_prepared", 1, || {
        let check = next();
        assert_eq!(verify(&key, &check.message, &check.signature), Ok(()));
    });
    measure(bench, "crypto_verify_unprepared", 1, || {
        let check = next();
        let key = PreparedKey::prepare(black_box(&bytes)).unwrap();
        assert_eq!(verify(&key, &check.message, &check.signature), Ok(()));
    });
    let checks: Vec<_> =
        all.iter().map(|signed| Check { key: &key, message: &signed.message, signature: &signed.signature }).collect();
    measure(bench, "crypto_verify_many_of_64", u32::from(MANY), || {
        let verdicts = verify_many(&checks);
        assert!(verdicts.len() == checks.len() && verdicts.iter().all(Result::is_ok));
    });

    let theirs = VerifyingKey::from_bytes(&bytes).unwrap();
    measure(bench, "ed25519_dalek_verify", 1, || {
        let check = next();
        let signature = ed25519_dalek::Signature::from_bytes(&check.signature.to_bytes());
        assert!(theirs.verify(&check.message, &signature).is_ok());
    });
}

#[cfg(target_family = "wasm")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn run() {
    signatures(&mut Bench);
}

#[cfg(not(target_family = "wasm"))]
criterion_group! { name = benches; config = report::bench(); targets = signatures }
#[cfg(not(target_family = "wasm"))]
criterion_main!(benches);
