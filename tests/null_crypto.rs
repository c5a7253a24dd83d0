//! The door with the feature `null-crypto`: nothing is signed, everything passes, keys are still checked.
#![cfg(feature = "null-crypto")]
#![allow(clippy::unwrap_used)]

use hublet::crypto::{Check, KeyError, PreparedKey, Signature, SigningKey, verify, verify_many};

#[test]
fn everything_passes_and_nothing_is_signed() {
    let ours = SigningKey::from_seed(&[1; 32]);
    let key = PreparedKey::prepare(&ours.public()).unwrap();
    let signature = ours.sign(b"message");
    assert_eq!(signature, Signature::from_bytes([0; 64]));
    let wrong = Signature::from_bytes([0xff; 64]);
    assert_eq!(verify(&key, b"another", &wrong), Ok(()));
    let check = Check { key: &key, message: b"another", signature: &wrong };
    assert_eq!(verify_many(&[check, check]), [Ok(()), Ok(())]);
    assert_eq!(PreparedKey::prepare(&[0; 32]), Err(KeyError::SmallOrder));
}
