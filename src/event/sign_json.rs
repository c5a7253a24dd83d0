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
    let signature = key.sign(&with_signatures(object, None)?).to_text();
    let present = object.root().member("signatures");
    let mut text = b"\"signatures\":{".to_vec();
    // The order in which these are written does not matter: the text is read into canonical form below.
    for server in present.into_iter().flat_map(Value::members).filter(|member| member.key() != signer) {
        write_string(&mut text, &server.key());
        text.push(b':');
        text.extend_from_slice(server.value().bytes());
        text.push(b',');
    }
    write_string(&mut text, signer);
    text.extend_from_slice(b":{");
    let ours = present.and_then(|signatures| signatures.member(signer));
    for other in ours.into_iter().flat_map(Value::members).filter(|member| member.key() != key_id) {
        write_string(&mut text, &other.key());
        text.push(b':');
        text.extend_from_slice(other.value().bytes());
        text.push(b',');
    }
    write_string(&mut text, key_id);
    text.push(b':');
    write_string(&mut text, &signature);
    text.extend_from_slice(b"}}");
    let bytes = with_signatures(object, Some(&text))?;
    read(&bytes, KeyOrder::Utf16).ok_or(ObjectSignatureError::NotObject)
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
