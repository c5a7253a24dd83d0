//! The three hashes of an event (spec, 3.2), each fed from slices of its canonical bytes.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::{
    Event,
    batch::digests,
    field::{Field, FieldSet},
    form::{Form, Insert, Sink},
    opening::Opening,
    redact::lpdu_hashes_member,
    room_version::{Keep, Linking},
};
use crate::id::{EventId, base64};

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
        Self::encode(&hasher.finalize().into())
    }

    fn encode(hash: &[u8; 32]) -> Self {
        let mut text = [0; 43];
        base64::encode_into(hash, &mut text);
        Self(text)
    }
}

/// The hash over what the sender wrote, for `hashes.lpdu.sha256`.
pub fn lpdu_hash(event: &Event) -> HashText {
    let mut hasher = Sha256::new();
    write_for_lpdu_hash(event, &mut hasher);
    HashText::of(hasher)
}

/// [`lpdu_hash`] of many, in order. One alone is not worth a batch.
pub(super) fn lpdu_hashes(events: &[&Event]) -> Vec<HashText> {
    if let [event] = events {
        return Vec::from([lpdu_hash(event)]);
    }
    let hashes = digests(events, |event| event.bytes().len(), |event, text| write_for_lpdu_hash(event, text));
    hashes.iter().map(HashText::encode).collect()
}

/// [`content_hash`] of many, in order.
pub(super) fn content_hashes(events: &[&Event]) -> Vec<HashText> {
    if let [event] = events {
        return Vec::from([content_hash(event)]);
    }
    let hashes = digests(events, |event| event.bytes().len(), |event, text| write_for_content_hash(event, text));
    hashes.iter().map(HashText::encode).collect()
}

/// The bytes that [`lpdu_hash`] covers, for showing them.
pub fn lpdu_hash_input(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_for_lpdu_hash(event, &mut bytes);
    bytes
}

fn write_for_lpdu_hash<S: Sink>(event: &Event, sink: &mut S) {
    let form = Form { keep: FieldSet::ALL.without(&NOT_IN_LPDU_HASH), content: Keep::All, inserts: &[] };
    event.write(&form, sink);
}

/// The hash over the whole event, for `hashes.sha256`.
pub fn content_hash(event: &Event) -> HashText {
    let mut hasher = Sha256::new();
    write_for_content_hash(event, &mut hasher);
    HashText::of(hasher)
}

/// The bytes that [`content_hash`] covers, for showing them.
pub fn content_hash_input(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_for_content_hash(event, &mut bytes);
    bytes
}

fn write_for_content_hash<S: Sink>(event: &Event, sink: &mut S) {
    let member = match event.rules().format.linking {
        Linking::Linear => lpdu_hashes_member(event),
        Linking::Graph => None,
    };
    let inserts = member.as_deref().map(|member| Insert { field: Field::Hashes, member });
    let keep = FieldSet::ALL.without(&[Field::Hashes, Field::Signatures, Field::Unsigned]);
    event.write(&Form { keep, content: Keep::All, inserts: inserts.as_slice() }, sink);
}

/// The content hash that the PDU made of an LPDU or a draft will have, once these links stand in it; `opening` is the
/// first of them.
pub(super) fn content_hash_with(event: &Event, links: &[Insert<'_>], opening: &Opening) -> HashText {
    // An LPDU's `hashes` are already what the content hash covers of them, and a draft has none.
    let keep = FieldSet::ALL.without(&[Field::Signatures]);
    let mut hasher = opening.resumed(event);
    event.write(&Form { keep, content: Keep::All, inserts: links }, &mut hasher);
    HashText::of(hasher.into_inner())
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

/// [`event_id_of`] of many, in order.
pub(super) fn event_ids_of(signing_inputs: &[&[u8]]) -> Vec<EventId> {
    if let [signing_input] = signing_inputs {
        return Vec::from([event_id_of(signing_input)]);
    }
    let hashes = digests(signing_inputs, |input| input.len(), |input, text| text.put(input));
    hashes.into_iter().map(EventId::from_hash).collect()
}

/// As [`event_id_of`], for a signing input that most likely begins with this opening.
pub(super) fn event_id_after(opening: &Opening, signing_input: &[u8]) -> EventId {
    EventId::from_hash(opening.digest(signing_input).into())
}

#[cfg(test)]
mod tests {
    use super::{content_hash, reference_hash};
    use crate::{
        crypto::{PreparedKey, Signature, SigningKey, verify},
        event::{
            Event, UnverifiedPdu, V10,
            fixtures::{document, published_key, raw_event},
            signing_input,
        },
        id::base64,
    };
    use alloc::string::ToString;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/matrix-signing.json")).unwrap()
    }

    /// The event with its content hash in it. These lack fields that later versions require.
    fn hashed(row: &Value) -> Event {
        let mut event = row["event"].clone();
        let hash = content_hash(&raw_event(document(&event.to_string()), &V10));
        assert_eq!(hash.as_str(), row["content_hash_sha256"].as_str().unwrap(), "{row}");
        if event.get("hashes").is_none() {
            event["hashes"] = serde_json::json!({});
        }
        event["hashes"]["sha256"] = hash.as_str().into();
        raw_event(document(&event.to_string()), &V10)
    }

    #[test]
    fn published_events_hash_and_sign_to_their_signatures() {
        let vectors = vectors();
        let key = published_key(&vectors);
        let rows = vectors["event_signing"].as_array().unwrap();
        assert_eq!(rows.len(), 4);
        for row in rows {
            let input = signing_input(&hashed(row));
            assert_eq!(core::str::from_utf8(&input).unwrap(), row["redacted_signed_bytes"].as_str().unwrap());
            assert_eq!(key.sign(&input).to_text(), row["signature"].as_str().unwrap());
        }
    }

    #[test]
    fn rumas_inputs_sign_to_rumas_signatures() {
        let vectors = vectors();
        let ruma = &vectors["ruma_same_inputs_other_key"];
        let der = base64::decode_lenient(ruma["pkcs8_der_base64"].as_str().unwrap()).unwrap();
        let key = SigningKey::from_seed(&der[16..48].try_into().unwrap());
        assert_eq!(key.sign(b"{}").to_text(), ruma["empty_json_signature"].as_str().unwrap());
        assert_eq!(key.sign(br#"{"one":1,"two":"Two"}"#).to_text(), ruma["one_two_signature"].as_str().unwrap());
        let (minimal, message) = (&vectors["event_signing"][0], &vectors["event_signing"][1]);
        for (row, name) in [(minimal, "minimal_event_signature"), (message, "message_event_signature")] {
            let signature = Signature::parse(ruma[name].as_str().unwrap()).unwrap();
            let prepared = PreparedKey::prepare(&key.public()).unwrap();
            assert_eq!(verify(&prepared, &signing_input(&hashed(row)), &signature), Ok(()), "{name}");
        }
    }

    /// `room_version_3` of the vector is not run: no version of ours writes event IDs in the standard alphabet.
    #[test]
    fn the_published_event_has_its_room_version_4_plus_id() {
        let vector = &vectors()["event_id"];
        let event = UnverifiedPdu::parse(document(&vector["event"].to_string()), &V10).unwrap();
        assert_eq!(event.event_id().to_string(), vector["room_version_4_plus"].as_str().unwrap());
        assert_eq!(reference_hash(event.event()), event.event_id());
        assert_eq!(vector["content_hash_checks"], true);
        let claimed = vector["event"]["hashes"]["sha256"].as_str().unwrap();
        assert_eq!(content_hash(event.event()).as_str(), claimed);
    }

    #[test]
    fn what_is_shown_is_what_is_hashed() {
        use sha2::{Digest, Sha256};
        let text = r#"{"auth_events":["$a"],"content":{"body":"x"},"hashes":{"lpdu":{"sha256":"h"},"sha256":"c"},"hub_server":"hub.example","origin_server_ts":1,"prev_events":["$b"],"room_id":"!r:hub.example","sender":"@a:part.example","signatures":{},"type":"m.room.message"}"#;
        let event = raw_event(document(text), &crate::event::LINEARIZED_02);
        let hash = |bytes: &[u8]| base64::encode(&Sha256::digest(bytes));
        assert_eq!(hash(&super::lpdu_hash_input(&event)), super::lpdu_hash(&event).as_str());
        assert_eq!(hash(&super::content_hash_input(&event)), super::content_hash(&event).as_str());
    }
}
