//! The three hashes of an event (spec, 3.2), each fed from slices of its canonical bytes.

use data_encoding::BASE64_NOPAD;
use sha2::{Digest, Sha256};

use super::{
    Event,
    field::{Field, FieldSet},
    form::{Form, Insert},
    redact::lpdu_hashes_member,
    room_version::{Keep, Linking},
};
use crate::id::EventId;

/// What the LPDU hash does not cover.
const NOT_IN_LPDU_HASH: [Field; 5] =
    [Field::AuthEvents, Field::Hashes, Field::PrevEvents, Field::Signatures, Field::Unsigned];

/// A SHA-256 hash as it stands in `hashes`: 43 characters of standard base64, no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashText([u8; 43]);

impl HashText {
    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn of(hasher: Sha256) -> Self {
        let mut text = [0; 43];
        BASE64_NOPAD.encode_mut(&hasher.finalize(), &mut text);
        Self(text)
    }
}

/// The hash over what the sender wrote, for `hashes.lpdu.sha256`.
pub fn lpdu_hash(event: &Event) -> HashText {
    let form = Form { keep: FieldSet::ALL.without(&NOT_IN_LPDU_HASH), content: Keep::All, inserts: &[] };
    let mut hasher = Sha256::new();
    event.write(&form, &mut hasher);
    HashText::of(hasher)
}

/// The hash over the whole event, for `hashes.sha256`.
pub fn content_hash(event: &Event) -> HashText {
    let member = match event.rules.format.linking {
        Linking::Linear => lpdu_hashes_member(event),
        Linking::Graph => None,
    };
    let inserts = member.as_deref().map(|member| Insert { field: Field::Hashes, member });
    let keep = FieldSet::ALL.without(&[Field::Hashes, Field::Signatures, Field::Unsigned]);
    let mut hasher = Sha256::new();
    event.write(&Form { keep, content: Keep::All, inserts: inserts.as_slice() }, &mut hasher);
    HashText::of(hasher)
}

/// The content hash that the PDU made of an LPDU or a draft will have, once these links stand in it.
pub(super) fn content_hash_with(event: &Event, links: &[Insert<'_>]) -> HashText {
    // An LPDU's `hashes` are already what the content hash covers of them, and a draft has none.
    let keep = FieldSet::ALL.without(&[Field::Signatures]);
    let mut hasher = Sha256::new();
    event.write(&Form { keep, content: Keep::All, inserts: links }, &mut hasher);
    HashText::of(hasher)
}

/// The hash that is the event's ID: over its redacted form, without signatures.
pub fn reference_hash(event: &Event) -> EventId {
    event_id_of(&super::redact::signing_input(event))
}

/// The ID of the event whose signing input this is.
///
/// What is signed and what the ID covers are the same bytes: no version's redaction keeps `unsigned`, so removing it
/// after redacting, as the reference hash does, changes nothing.
pub(super) fn event_id_of(signing_input: &[u8]) -> EventId {
    EventId::from_hash(Sha256::digest(signing_input).into())
}
