//! Ed25519 behind one small door (spec, 3.4).
//!
//! **The acceptance rule.** A signature (R, S) by the key A over a message M is accepted if and only if
//! 1. S < L;
//! 2. A is a canonical encoding of a curve point that is not of small order (checked once, by [`PreparedKey::prepare`]);
//! 3. R is none of the 14 encodings of a point of small order, non-canonical ones included;
//! 4. the canonical encoding of \[S]B + \[k](−A) equals R byte for byte, where k = SHA-512(R ‖ A ‖ M) reduced modulo L.
//!
//! The equation is the cofactorless one, and the reduction of k and the negation of A (not of k) are part of the rule:
//! they decide when A has a component of small order. Keys that are used often are multiplied by a table of their own, which
//! changes nothing but the time. [`verify_many`] shares work between signatures but never
//! verdicts: each is the one that [`verify`] gives. This module imports nothing else of the crate.
//!
//! With the feature `null-crypto`, [`verify`] and [`verify_many`] accept everything and [`SigningKey::sign`] gives
//! zeros; keys are prepared as ever.
//!
//! ```
//! use hublet::crypto::{PreparedKey, SigningKey, verify};
//!
//! let ours = SigningKey::from_seed(&[7; 32]);
//! let signature = ours.sign(b"{}");
//! let key = PreparedKey::prepare(&ours.public())?;
//! assert_eq!(verify(&key, b"{}", &signature), Ok(()));
//! # Ok::<(), hublet::crypto::KeyError>(())
//! ```

mod encoding;
mod key;
mod multiples;
mod signature;
mod signing;
mod verify;

pub use key::{KeyError, PreparedKey};
pub use signature::{Signature, SignatureError};
pub use signing::SigningKey;
pub use verify::{Check, verify, verify_many};
