//! Base64 as Matrix writes it: what is published, what is strict, what is lenient (spec, 3.2 and 3.4).

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::id::base64::{decode_lenient, decode_strict, encode};
use serde_json::Value;

#[test]
fn published_pairs_encode_and_decode() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/unpadded-base64.json")).unwrap();
    let pairs = vectors["encode_utf8"].as_array().unwrap();
    assert_eq!(pairs.len(), 7);
    for pair in pairs {
        let (text, encoded) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        assert_eq!(encode(text.as_bytes()), encoded);
        assert_eq!(decode_strict(encoded).unwrap(), text.as_bytes());
        let padded = format!("{encoded}{}", "=".repeat(encoded.len().wrapping_neg() % 4));
        assert_eq!(decode_lenient(&padded).unwrap(), text.as_bytes());
        assert_eq!(decode_strict(&padded).is_ok(), padded == encoded, "{padded}");
    }
}
