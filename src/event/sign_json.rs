//! Signatures on JSON objects that are no events: key documents, requests, device objects (spec, 3.1 and 3.4).
//!
//! Signed is the canonical form of the object without `signatures` and `unsigned`. We sign in UTF-16 key order, and
//! when checking accept code-point order too where the two differ.

use alloc::vec::Vec;

use thiserror::Error;

use super::{
    field::{Field, FieldSet, Members},
    form::{self, Form, Insert},
    room_version::Keep,
};
use crate::{
    crypto::{PreparedKey, Signature, SignatureError, SigningKey, verify},
    json::{Document, KeyOrder, Kind, Limits, Value, parse, write_string},
};

/// Why an object does not count as signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ObjectSignatureError {
    /// Only objects are signed.
    #[error("the signed value is not an object")]
    NotObject,
    /// No signature under this name and key ID.
    #[error("the signature is missing")]
    Missing,
    /// The signature is wrong in both key orders.
    #[error("the signature is wrong: {0}")]
    Wrong(SignatureError),
}

/// The forms of an object that a signature may cover: in UTF-16 key order, then in code-point order if that differs.
///
/// `object` must come from a document in UTF-16 order.
///
/// # Errors
/// [`ObjectSignatureError::NotObject`].
pub fn signed_forms(object: Value<'_>) -> Result<(Vec<u8>, Option<Vec<u8>>), ObjectSignatureError> {
    let document = object.to_document();
    let bytes = with_signatures(&document, None)?;
    let other = match object.sorts_alike() {
        true => None,
        false => read(&bytes, KeyOrder::CodePoint).map(Document::into_bytes).filter(|other| *other != bytes),
    };
    Ok((bytes, other))
}

/// Checks the signature of `signer`, a server name or user ID, by the key that has this ID.
///
/// Padding of the signature's base64 is accepted here, as it is not in events.
///
/// # Errors
/// An [`ObjectSignatureError`].
pub fn verify_object(
    object: Value<'_>,
    signer: &str,
    key_id: &str,
    key: &PreparedKey,
) -> Result<(), ObjectSignatureError> {
    let text = object.member("signatures").and_then(|signatures| signatures.member(signer)?.member(key_id)?.as_str());
    let text = text.ok_or(ObjectSignatureError::Missing)?;
    let signature = Signature::parse_lenient(&text).map_err(ObjectSignatureError::Wrong)?;
    let (first, second) = signed_forms(object)?;
    let verdict = verify(key, &first, &signature);
    match (verdict, second) {
        (Err(_), Some(second)) => verify(key, &second, &signature),
        (verdict, _) => verdict,
    }
    .map_err(ObjectSignatureError::Wrong)
}

/// The object with our signature added to those that it bears; one under the same name and key ID is replaced.
///
/// # Errors
/// [`ObjectSignatureError::NotObject`].
pub fn add_signature(
    object: &Document,
    signer: &str,
    key_id: &str,
    key: &SigningKey,
) -> Result<Document, ObjectSignatureError> {
    let signature = key.sign(&with_signatures(object, None)?);
    insert_signature(object, signer, key_id, &signature)
}

/// The object with a signature that was made elsewhere: over the first of [`signed_forms`], or over an event's signing input.
///
/// # Errors
/// [`ObjectSignatureError::NotObject`].
pub fn insert_signature(
    object: &Document,
    signer: &str,
    key_id: &str,
    signature: &Signature,
) -> Result<Document, ObjectSignatureError> {
    insert_signature_by(KeyOrder::Utf16, object, signer, key_id, signature)
}

/// The object with this signature in place of any under the same name and key ID, in canonical form by `order`.
pub(super) fn insert_signature_by(
    order: KeyOrder,
    object: &Document,
    signer: &str,
    key_id: &str,
    signature: &Signature,
) -> Result<Document, ObjectSignatureError> {
    // The order in which these are written does not matter: the text is read into canonical form below.
    let present = object.root().member("signatures");
    let mut text = b"\"signatures\":{".to_vec();
    write_others(&mut text, present, signer);
    write_string(&mut text, signer);
    text.extend_from_slice(b":{");
    write_others(&mut text, present.and_then(|signatures| signatures.member(signer)), key_id);
    write_string(&mut text, key_id);
    text.push(b':');
    write_string(&mut text, &signature.to_text());
    text.extend_from_slice(b"}}");
    let bytes = with_signatures(object, Some(&text))?;
    read(&bytes, order).ok_or(ObjectSignatureError::NotObject)
}

/// The members of `object` but for this one, each followed by a comma.
fn write_others(text: &mut Vec<u8>, object: Option<Value<'_>>, but: &str) {
    for member in object.into_iter().flat_map(Value::members).filter(|member| member.key() != but) {
        write_string(text, &member.key());
        text.push(b':');
        text.extend_from_slice(member.value().bytes());
        text.push(b',');
    }
}

/// The object with this `signatures` member, or with none; `unsigned` goes with the signed form only.
fn with_signatures(object: &Document, signatures: Option<&[u8]>) -> Result<Vec<u8>, ObjectSignatureError> {
    if object.root().kind() != Kind::Object {
        return Err(ObjectSignatureError::NotObject);
    }
    let insert = signatures.map(|member| Insert { field: Field::Signatures, member });
    let keep = match insert {
        Some(_) => FieldSet::ALL,
        None => FieldSet::ALL.without(&[Field::Signatures, Field::Unsigned]),
    };
    let mut bytes = Vec::with_capacity(object.bytes().len() + 256);
    let form = Form { keep, content: Keep::All, inserts: insert.as_slice() };
    form::write(object.bytes(), &Members::read(object.root()).slots, None, &form, &mut bytes);
    Ok(bytes)
}

/// Reads text that we wove out of canonical parts.
fn read(text: &[u8], order: KeyOrder) -> Option<Document> {
    parse(text, order, Limits { bytes: usize::MAX, depth: u16::MAX }).ok()
}

#[cfg(test)]
mod tests {
    use super::{ObjectSignatureError, add_signature, signed_forms, verify_object};
    use crate::{
        crypto::{PreparedKey, SignatureError, SigningKey},
        event::fixtures::{document, published_key},
        id::base64,
        json::{Document, KeyOrder, Limits, parse},
    };
    use alloc::string::ToString;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/matrix-signing.json")).unwrap()
    }

    fn prepared(key: &SigningKey) -> PreparedKey {
        PreparedKey::prepare(&key.public()).unwrap()
    }

    fn signature<'d>(object: &'d Document, signer: &str, id: &str) -> alloc::borrow::Cow<'d, str> {
        object.root().member("signatures").unwrap().member(signer).unwrap().member(id).unwrap().as_str().unwrap()
    }

    #[test]
    fn published_objects_sign_to_their_signatures() {
        let vectors = vectors();
        let key = published_key(&vectors);
        let rows = vectors["json_signing"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        for row in rows {
            let object = document(&row["object"].to_string());
            assert_eq!(signed_forms(object.root()), Ok((row["signed_bytes"].as_str().unwrap().into(), None)));
            let signed = add_signature(&object, "domain", "ed25519:1", &key).unwrap();
            assert_eq!(signature(&signed, "domain", "ed25519:1"), row["signature"].as_str().unwrap());
            assert_eq!(verify_object(signed.root(), "domain", "ed25519:1", &prepared(&key)), Ok(()));
        }
    }

    #[test]
    fn a_published_server_key_document_verifies() {
        let vectors = vectors();
        let response = document(&vectors["server_key_response"]["response"].to_string());
        let member = response.root().member("verify_keys").unwrap().member("ed25519:a_nZvP").unwrap().member("key");
        let bytes = base64::decode_array(&member.unwrap().as_str().unwrap()).unwrap();
        let key = PreparedKey::prepare(&bytes).unwrap();
        assert_eq!(verify_object(response.root(), "localhost", "ed25519:a_nZvP", &key), Ok(()));
        let forged = document(&response.text().replace("1680137146829", "1680137146830"));
        let wrong = ObjectSignatureError::Wrong(SignatureError::Mismatch);
        assert_eq!(verify_object(forged.root(), "localhost", "ed25519:a_nZvP", &key), Err(wrong));
    }

    #[test]
    fn signatures_of_others_stay_and_unsigned_is_not_signed() {
        let vectors = vectors();
        let key = published_key(&vectors);
        let bare = document(r#"{"b":1.5,"a":[]}"#);
        let object = document(
            r#"{"b":1.5,"signatures":{"zed":{"k:1":"s"},"domain":{"k:0":"t","ed25519:1":"old"}},"unsigned":{"x":1},"a":[]}"#,
        );
        let signed = add_signature(&object, "domain", "ed25519:1", &key).unwrap();
        let expected = add_signature(&bare, "domain", "ed25519:1", &key).unwrap();
        assert_eq!(signature(&signed, "domain", "ed25519:1"), signature(&expected, "domain", "ed25519:1"));
        assert_eq!(signature(&signed, "domain", "k:0"), "t");
        assert_eq!(signature(&signed, "zed", "k:1"), "s");
        assert_eq!(signed.root().member("unsigned").unwrap().text(), r#"{"x":1}"#);
        assert_eq!(verify_object(signed.root(), "domain", "ed25519:1", &prepared(&key)), Ok(()));
        // The object may lie inside another document.
        let outer = document(&["[0,", signed.text(), "]"].concat());
        let inner = outer.root().elements().nth(1).unwrap();
        assert_eq!(verify_object(inner, "domain", "ed25519:1", &prepared(&key)), Ok(()));
    }

    #[test]
    fn spec_3_1_either_key_order_is_accepted_and_utf_16_is_signed() {
        let key = SigningKey::from_seed(&[3; 32]);
        let text = "{\"\u{fb33}\":1,\"\u{1f600}\":2}";
        let object = document(text);
        assert_eq!(object.text(), "{\"\u{1f600}\":2,\"\u{fb33}\":1}");
        let by_point = parse(text.as_bytes(), KeyOrder::CodePoint, Limits { bytes: 1_000, depth: 9 }).unwrap();
        assert_eq!(signed_forms(object.root()), Ok((object.bytes().to_vec(), Some(by_point.bytes().to_vec()))));
        for signed_bytes in [object.bytes(), by_point.bytes()] {
            let signature = key.sign(signed_bytes);
            let signed = super::insert_signature(&object, "s", "ed25519:1", &signature).unwrap();
            assert_eq!(verify_object(signed.root(), "s", "ed25519:1", &prepared(&key)), Ok(()));
        }
        let ours = add_signature(&object, "s", "ed25519:1", &key).unwrap();
        assert_eq!(signature(&ours, "s", "ed25519:1"), key.sign(object.bytes()).to_text());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let key = SigningKey::from_seed(&[3; 32]);
        let signed = add_signature(&document("{}"), "s", "ed25519:1", &key).unwrap();
        let outcome = |text: &str| verify_object(document(text).root(), "s", "ed25519:1", &prepared(&key));
        let good = signature(&signed, "s", "ed25519:1").to_string();
        let with = |signature: &str| ["{\"signatures\":{\"s\":{\"ed25519:1\":", signature, "}}}"].concat();
        let encoding = Err(ObjectSignatureError::Wrong(SignatureError::Encoding));
        assert_eq!(outcome(&with(&["\"", &good, "\""].concat())), Ok(()));
        assert_eq!(outcome(&with(&["\"", &good, "==\""].concat())), Ok(()), "padding is accepted here (spec, 3.2)");
        assert_eq!(outcome(&with(&["\"", &good, "=\""].concat())), encoding);
        assert_eq!(outcome(&with("\"\"")), encoding);
        for text in ["{}", "[]", "1", &with("1"), r#"{"signatures":[]}"#, r#"{"signatures":{"s":{}}}"#] {
            assert_eq!(outcome(text), Err(ObjectSignatureError::Missing), "{text}");
        }
        let not_object = Err(ObjectSignatureError::NotObject);
        assert_eq!(add_signature(&document("[]"), "s", "ed25519:1", &key), not_object);
        assert_eq!(ObjectSignatureError::NotObject.to_string(), "the signed value is not an object");
        assert_eq!(ObjectSignatureError::Missing.to_string(), "the signature is missing");
    }
}
