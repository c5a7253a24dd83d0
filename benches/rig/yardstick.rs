//! What everything is compared with: one `verify` of ed25519-dalek, without any code of ours.

use std::{hint::black_box, vec::Vec};

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use hublet::{
    event::{LINEARIZED_02, UnverifiedLpdu, signing_input},
    testing::content,
};

use super::super::report::timed;
use super::room::Sent;

/// Signatures that one sample checks.
const CHECKS: usize = 64;

/// Checks signatures over what the senders of these LPDUs signed; each call gives microseconds a signature. Keys and
/// signatures are made here, since the null door makes none.
pub(crate) fn yardstick(lpdus: &[Sent]) -> impl FnMut() -> f64 {
    let key = SigningKey::from_bytes(&[7; 32]);
    let signed: Vec<(Vec<u8>, Signature)> = lpdus.iter().map(|lpdu| sign(&key, lpdu)).collect();
    let key: VerifyingKey = key.verifying_key();
    assert!(key.verify(&signed[0].0, &signed[1].1).is_err(), "a yardstick that accepts all is worth nothing");
    move || {
        timed(CHECKS, || {
            for (message, signature) in signed.iter().cycle().take(CHECKS) {
                assert!(key.verify(black_box(message), signature).is_ok());
            }
        })
    }
}

fn sign(key: &SigningKey, lpdu: &Sent) -> (Vec<u8>, Signature) {
    let document = content(core::str::from_utf8(&lpdu.bytes).unwrap());
    let lpdu = UnverifiedLpdu::parse(document, &LINEARIZED_02).unwrap();
    let input = signing_input(lpdu.event());
    let signature = key.sign(&input);
    (input, signature)
}
