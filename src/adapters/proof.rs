//! What each hash and each signature of an event covers, byte for byte, for showing it to people.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::{
    bindings::form::Argument,
    crypto::{PreparedKey, Signature, verify},
    event::{
        Event, MAX_DEPTH, MAX_PDU_BYTES, content_hash, content_hash_input, lpdu_hash, lpdu_hash_input, reference_hash,
        rules, sender_signing_input, signing_input,
    },
    id::{RoomVersionId, ServerName},
    json::{Limits, Value, parse},
};

/// What an event's hashes and signatures cover.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proof {
    event_id: String,
    /// Its SHA-256 is the event's ID.
    reference_hash: ByteBuf,
    content_hash: Hash,
    lpdu_hash: Option<Hash>,
    signatures: Vec<Signed>,
}

/// A hash that stands in the event.
#[derive(Debug, Serialize)]
struct Hash {
    covers: ByteBuf,
    stated: String,
    computed: String,
}

/// A signature of the event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    server: String,
    key_id: String,
    signature: String,
    covers: ByteBuf,
    r#as: &'static str,
    valid: Valid,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Valid {
    Known(bool),
    /// The name is no key; the server has checked it, but its key is not at hand here.
    Unknown(&'static str),
}

/// Reads an event of our log, and tells what covers what.
///
/// # Errors
/// When the bytes are no event of that room version.
pub(super) fn prove(bytes: &[u8], version: &str) -> Result<Proof, Argument> {
    let version = RoomVersionId::parse(version).map_err(|error| Argument::of("version", error))?;
    let rules = rules(&version).ok_or_else(|| Argument::of("version", "is none of ours"))?;
    let document = parse(bytes, rules.key_order, Limits { bytes: MAX_PDU_BYTES, depth: MAX_DEPTH });
    let document = document.map_err(|error| Argument::of("event", error))?;
    let event = Event::from_store(document, rules).map_err(|error| Argument::of("event", error))?;
    let root = event.document().root();
    let hashes = root.member("hashes");
    let stated = |hashes: Option<Value<'_>>| text(hashes.and_then(|hashes| hashes.member("sha256")));
    let lpdu = hashes.and_then(|hashes| hashes.member("lpdu"));
    Ok(Proof {
        event_id: reference_hash(&event).to_string(),
        reference_hash: ByteBuf::from(signing_input(&event)),
        content_hash: Hash {
            covers: ByteBuf::from(content_hash_input(&event)),
            stated: stated(hashes),
            computed: content_hash(&event).as_str().into(),
        },
        lpdu_hash: lpdu.map(|lpdu| Hash {
            covers: ByteBuf::from(lpdu_hash_input(&event)),
            stated: stated(Some(lpdu)),
            computed: lpdu_hash(&event).as_str().into(),
        }),
        signatures: signatures(&event),
    })
}

fn signatures(event: &Event) -> Vec<Signed> {
    let mut found = Vec::new();
    let Some(by_server) = event.document().root().member("signatures") else { return found };
    let sender = event.sender_server().as_str();
    let hub = event.hub_server().map_or(sender, ServerName::as_str);
    for entry in by_server.members() {
        let server = entry.key().into_owned();
        let (part, covers) = match (server == sender, server == hub) {
            (true, true) => ("both", signing_input(event)),
            (true, false) => ("sender", sender_signing_input(event)),
            _ => ("hub", signing_input(event)),
        };
        let key = ServerName::parse(&server).ok().and_then(|server| server.key_in_name());
        let key = key.and_then(|key| PreparedKey::prepare(&key).ok());
        for signed in entry.value().members() {
            let signature = text(Some(signed.value()));
            let valid = match (&key, Signature::parse_lenient(&signature)) {
                (Some(key), Ok(signature)) => Valid::Known(verify(key, &covers, &signature).is_ok()),
                (Some(_), Err(_)) => Valid::Known(false),
                (None, _) => Valid::Unknown("key_missing"),
            };
            found.push(Signed {
                server: server.clone(),
                key_id: signed.key().into_owned(),
                signature,
                covers: ByteBuf::from(covers.clone()),
                r#as: part,
                valid,
            });
        }
    }
    found
}

fn text(value: Option<Value<'_>>) -> String {
    value.and_then(|value| value.as_str().map(|text| text.into_owned())).unwrap_or_default()
}
