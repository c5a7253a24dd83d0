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
    id::{KeyId, RoomVersionId, ServerName},
    json::{Limits, Member, Value, parse},
    server::{KeyNeeds, ServerKeys},
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
    /// The server's name is no key, and its key is neither known nor to be had now.
    Unknown(&'static str),
}

/// An event of our log, of which it is to be told what covers what.
pub(super) struct Claim(Event);

impl Claim {
    /// Reads an event.
    ///
    /// # Errors
    /// When the bytes are no event of that room version.
    pub(super) fn read(bytes: &[u8], version: &str) -> Result<Self, Argument> {
        let version = RoomVersionId::parse(version).map_err(|error| Argument::of("version", error))?;
        let rules = rules(&version).ok_or_else(|| Argument::of("version", "is none of ours"))?;
        let document = parse(bytes, rules.key_order, Limits { bytes: MAX_PDU_BYTES, depth: MAX_DEPTH });
        let document = document.map_err(|error| Argument::of("event", error))?;
        Event::from_store(document, rules).map(Self).map_err(|error| Argument::of("event", error))
    }

    /// The keys that the sender's and the hub's signatures are by, but for those that their names are. What others may have signed is nobody's concern.
    pub(super) fn signers(&self) -> Vec<KeyNeeds> {
        let Some(by_server) = self.0.document().root().member("signatures") else { return Vec::new() };
        let counts = |server: &ServerName| server == self.0.sender_server() || Some(server) == self.0.hub_server();
        let need = |entry: Member<'_>| {
            let server = ServerName::parse(&entry.key()).ok().filter(counts)?;
            if server.key_in_name().is_some() {
                return None;
            }
            let key_ids = entry.value().members().filter_map(|signed| KeyId::parse(&signed.key()).ok()).collect();
            Some(KeyNeeds { server, key_ids, notary: None })
        };
        by_server.members().filter_map(need).collect()
    }

    /// Tells what covers what; signatures are checked with these keys.
    pub(super) fn prove(&self, keys: &[ServerKeys]) -> Proof {
        let event = &self.0;
        let root = event.document().root();
        let hashes = root.member("hashes");
        let stated = |hashes: Option<Value<'_>>| text(hashes.and_then(|hashes| hashes.member("sha256")));
        let lpdu = hashes.and_then(|hashes| hashes.member("lpdu"));
        Proof {
            event_id: reference_hash(event).to_string(),
            reference_hash: ByteBuf::from(signing_input(event)),
            content_hash: Hash {
                covers: ByteBuf::from(content_hash_input(event)),
                stated: stated(hashes),
                computed: content_hash(event).as_str().into(),
            },
            lpdu_hash: lpdu.map(|lpdu| Hash {
                covers: ByteBuf::from(lpdu_hash_input(event)),
                stated: stated(Some(lpdu)),
                computed: lpdu_hash(event).as_str().into(),
            }),
            signatures: signatures(event, keys),
        }
    }
}

fn signatures(event: &Event, keys: &[ServerKeys]) -> Vec<Signed> {
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
        for signed in entry.value().members() {
            let key = key_of(keys, &server, &signed.key());
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

/// The key that a signature says it is by: the one in the server's name, or one that is known.
fn key_of(keys: &[ServerKeys], server: &str, key_id: &str) -> Option<PreparedKey> {
    let server = ServerName::parse(server).ok()?;
    let known = || {
        let keys = &keys.iter().find(|keys| keys.server == server)?.keys;
        keys.iter().find(|known| known.id.as_str() == key_id).map(|known| known.key)
    };
    PreparedKey::prepare(&server.key_in_name().or_else(known)?).ok()
}

fn text(value: Option<Value<'_>>) -> String {
    value.and_then(|value| value.as_str().map(|text| text.into_owned())).unwrap_or_default()
}
