//! Events of our own making: a participant's LPDU, and the event of a hub's own user (spec, section 3).
//!
//! Both pass the same schema and the same refusals as what comes from outside, before anything is hashed or signed.

use alloc::vec::Vec;

use super::{
    Event, SchemaError, SchemaRule,
    complete::signatures_member,
    field::{Field, FieldSet},
    form::{Form, Insert},
    hash::{event_id_of, lpdu_hash},
    redact::signing_input,
    room_version::{Keep, RoomVersionRules},
    schema::{self, MAX_PDU_BYTES, Shape, fault},
    verify::SignatureText,
};
use crate::{
    crypto::{Signature, SigningKey},
    id::{EventId, KeyId, RoomId, ServerName, Timestamp, UserId},
    json::{Document, write_object},
};

/// What the maker of an event decides.
#[derive(Debug, Clone, Copy)]
pub struct EventParts<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// Who sends it.
    pub sender: &'a UserId,
    /// The event's type, at most 255 bytes.
    pub kind: &'a str,
    /// The state key, at most 255 bytes, if it is to be state.
    pub state_key: Option<&'a str>,
    /// The content, an object.
    pub content: &'a Document,
    /// When it is sent; different from that of any otherwise equal event.
    pub origin_server_ts: Timestamp,
}

/// An event of a hub's own user, well-formed, not yet authorised or linked.
#[derive(Debug, Clone)]
pub struct PduDraft {
    event: Event,
}

/// An LPDU of our own, well-formed and hashed, not yet signed.
#[derive(Debug, Clone)]
pub struct LpduDraft {
    event: Event,
    signing_input: Vec<u8>,
}

/// An LPDU of our own, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLpdu {
    bytes: Vec<u8>,
    lpdu_id: EventId,
}

impl PduDraft {
    /// Makes an own event.
    ///
    /// # Errors
    /// A [`SchemaError`], as for what comes from outside.
    pub fn new(parts: &EventParts<'_>, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        Ok(Self { event: parts.draft(None, rules)? })
    }

    /// The event as far as it goes: no links, hashes or signatures.
    pub fn event(&self) -> &Event {
        &self.event
    }

    pub(super) fn into_event(self) -> Event {
        self.event
    }
}

impl LpduDraft {
    /// Makes an LPDU for this hub.
    ///
    /// # Errors
    /// A [`SchemaError`], as for what comes from outside.
    pub fn new(
        parts: &EventParts<'_>,
        hub_server: &ServerName,
        rules: &'static RoomVersionRules,
    ) -> Result<Self, SchemaError> {
        let bare = parts.draft(Some(hub_server), rules)?;
        let hash = lpdu_hash(&bare);
        let mut hashes = b"\"hashes\":".to_vec();
        write_object(&mut hashes, |hashes| {
            hashes.object("lpdu", |lpdu| lpdu.string("sha256", hash.as_str()));
        });
        let inserts = [
            Insert { field: Field::Hashes, member: &hashes },
            Insert { field: Field::Signatures, member: b"\"signatures\":{}" },
        ];
        let bytes = bare.to_bytes(&Form { keep: FieldSet::ALL, content: Keep::All, inserts: &inserts });
        let event = schema::read(schema::reread(&bytes, rules)?, rules, Shape::Lpdu)?;
        Ok(Self { signing_input: signing_input(&event), event })
    }

    /// The event as far as it goes: hashed, without signatures.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The bytes that the sender's server signs.
    pub fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    /// Signs with the key of the sender's server.
    ///
    /// # Errors
    /// [`SchemaRule::TooLarge`] if it then exceeds 65,536 bytes.
    pub fn sign(self, key_id: &KeyId, key: &SigningKey) -> Result<SignedLpdu, SchemaError> {
        let signature = key.sign(&self.signing_input);
        self.sign_with(key_id, signature)
    }

    /// Takes the signature that a platform signer made over [`LpduDraft::signing_input`].
    ///
    /// # Errors
    /// [`SchemaRule::TooLarge`] if it then exceeds 65,536 bytes.
    pub fn sign_with(self, key_id: &KeyId, signature: Signature) -> Result<SignedLpdu, SchemaError> {
        let server = self.event.sender_server();
        let member = signatures_member(&mut [(server, key_id, &SignatureText::of(&signature))]);
        let inserts = [Insert { field: Field::Signatures, member: &member }];
        let bytes = self.event.to_bytes(&Form { keep: FieldSet::ALL, content: Keep::All, inserts: &inserts });
        if bytes.len() > MAX_PDU_BYTES {
            return Err(fault("event", SchemaRule::TooLarge));
        }
        Ok(SignedLpdu { bytes, lpdu_id: event_id_of(&self.signing_input) })
    }
}

impl SignedLpdu {
    /// The canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The canonical bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The LPDU's own ID, by which its echo is known.
    pub fn lpdu_id(&self) -> EventId {
        self.lpdu_id
    }
}

impl EventParts<'_> {
    fn draft(&self, hub_server: Option<&ServerName>, rules: &'static RoomVersionRules) -> Result<Event, SchemaError> {
        // A number that events must not hold would lose its spelling when the bytes are read again.
        if self.content.root().irregular() {
            return Err(fault(Field::Content.name(), SchemaRule::Number));
        }
        let not_integer = fault(Field::OriginServerTs.name(), SchemaRule::NotInteger);
        let ts = i64::try_from(self.origin_server_ts.millis()).map_err(|_| not_integer)?;
        if ts >= 1 << 53 {
            return Err(not_integer);
        }
        let mut bytes = Vec::with_capacity(self.content.bytes().len() + 512);
        write_object(&mut bytes, |event| {
            event.raw(Field::Content.name(), self.content.bytes());
            if let Some(hub_server) = hub_server {
                event.string(Field::HubServer.name(), hub_server.as_str());
            }
            event.int(Field::OriginServerTs.name(), ts);
            event.string(Field::RoomId.name(), self.room_id.as_str());
            event.string(Field::Sender.name(), self.sender.as_str());
            if let Some(state_key) = self.state_key {
                event.string(Field::StateKey.name(), state_key);
            }
            event.string(Field::Type.name(), self.kind);
        });
        schema::read(schema::reread(&bytes, rules)?, rules, Shape::Draft)
    }
}
