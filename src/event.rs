//! Events: the ladder from received bytes to a verified event (spec, sections 3 and 4).
//!
//! An event is its canonical bytes and a table of where its fields lie. It is parsed once; every hashed, signed or sent
//! form is cut from those bytes. One type a rung, each made only by the one below it:
//!
//! | rung | at the hub | elsewhere | what it guarantees |
//! |---|---|---|---|
//! | schema | [`UnverifiedLpdu`] | [`UnverifiedPdu`] | fields are there and well-formed (spec, 4.1) |
//! | signatures, hashes | [`VerifiedLpdu`] | [`VerifiedPdu`] | signed by its sender's server, by the hub (spec, 4.2, 4.3) |
//! | rules | `room` | `room` | allowed by the room's state |
//! | chain | [`ChainedPdu`] | | linked, hashed, has its ID |
//! | sign | [`CompletedPdu`] | | bytes that go to every server |
//!
//! An event ID does not cover signatures, so a hub chains a whole transaction first and signs it after.
//!
//! ```
//! use hublet::{
//!     crypto::SigningKey,
//!     event::{EventParts, LpduDraft, UnverifiedLpdu, rules},
//!     id::{KeyId, RoomId, RoomVersionId, ServerName, Timestamp, UserId},
//!     json::{KeyOrder, Limits, parse},
//! };
//!
//! let rules = rules(&RoomVersionId::parse("I.1")?).ok_or("unknown room version")?;
//! let limits = Limits { bytes: 65_536, depth: 512 };
//! let parts = EventParts {
//!     room_id: &RoomId::parse("!room:hub.example")?,
//!     sender: &UserId::parse("@ann:part.example")?,
//!     kind: "m.room.message",
//!     state_key: None,
//!     content: &parse(br#"{"body":"hello"}"#, KeyOrder::Utf16, limits)?,
//!     origin_server_ts: Timestamp::new(1_700_000_000_000),
//! };
//!
//! // A participant makes and signs an LPDU, …
//! let draft = LpduDraft::new(&parts, &ServerName::parse("hub.example")?, rules)?;
//! let ours = SigningKey::from_seed(&[7; 32]);
//! let lpdu = draft.sign(&KeyId::parse("ed25519:1")?, &ours)?;
//!
//! // … and the hub reads it.
//! let received = UnverifiedLpdu::parse(parse(lpdu.bytes(), KeyOrder::Utf16, limits)?, rules)?;
//! assert_eq!(received.event_id(), lpdu.lpdu_id());
//! assert_eq!(received.event().kind(), "m.room.message");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod build;
mod complete;
mod field;
mod form;
mod hash;
mod ladder;
mod redact;
mod room_version;
mod schema;
mod sign_json;
mod verify;

#[cfg(test)]
pub(crate) mod fixtures;

pub use build::{EventParts, LpduDraft, PduDraft, SignedLpdu};
pub use complete::{ChainedPdu, CompletedPdu, CountersignError, HubIdentity, Links};
pub use field::{Field, FieldSet};
pub use hash::{HashText, content_hash, lpdu_hash, reference_hash};
pub use ladder::{Integrity, KeyNeed, Sender, UnverifiedLpdu, UnverifiedPdu, VerifiedLpdu, VerifiedPdu};
pub use redact::{received_id, redact, sender_signing_input, signing_input};
pub use room_version::{
    EventFormat, I_1, Keep, KeepKey, LINEARIZED_02, Linking, RedactionRules, RoomIdForm, RoomVersionRules, V10, V11,
    V12, rules,
};
pub use schema::{MAX_DEPTH, MAX_PDU_BYTES, SchemaError, SchemaRule};
pub use sign_json::{ObjectSignatureError, add_signature, insert_signature, signed_forms, verify_object};
pub use verify::{KeyLookup, KeySource, KeyUse, Role, Signatory, VerifyError};

use alloc::{boxed::Box, vec::Vec};

use crate::{
    id::{EventId, RoomId, ServerName, Timestamp, UserId},
    json::{Document, Value},
};
use field::Slot;
use form::{Form, Sink};

/// A well-formed event: its canonical bytes, and its fields read once. LPDU and PDU share this shape.
///
/// That it is well-formed says nothing of who made it; the rung that holds it does.
#[derive(Debug, Clone)]
pub struct Event {
    document: Document,
    rules: &'static RoomVersionRules,
    slots: Vec<Slot>,
    room_id: RoomId,
    sender: UserId,
    sender_server: ServerName,
    kind: Box<str>,
    state_key: Option<Box<str>>,
    origin_server_ts: Timestamp,
    hub_server: Option<ServerName>,
    auth_events: Vec<EventId>,
    prev_events: Vec<EventId>,
}

impl Event {
    /// Reads an event from our own store: the schema is checked, hashes and signatures are not.
    ///
    /// # Errors
    /// A [`SchemaError`] if the stored bytes are no PDU.
    #[allow(dead_code, reason = "what opens a room from its store comes with the server")]
    pub(crate) fn from_store(document: Document, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        schema::read(document, rules, schema::Shape::Pdu)
    }

    /// The canonical bytes, signatures included.
    pub fn bytes(&self) -> &[u8] {
        self.document.bytes()
    }

    /// The canonical bytes with their table of nodes.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The rules of the room version that the event was read under.
    pub fn rules(&self) -> &'static RoomVersionRules {
        self.rules
    }

    /// The room. Where the room's ID is the create event's hash, that event has the one that follows from itself.
    pub fn room_id(&self) -> &RoomId {
        &self.room_id
    }

    /// The user who sent it.
    pub fn sender(&self) -> &UserId {
        &self.sender
    }

    /// The server of the sender.
    pub fn sender_server(&self) -> &ServerName {
        &self.sender_server
    }

    /// The `type`, at most 255 bytes.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The `state_key`, at most 255 bytes; `None` for an event that is no state.
    pub fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    /// Whether it is a state event.
    pub fn is_state(&self) -> bool {
        self.state_key.is_some()
    }

    /// The `content`, an object.
    pub fn content(&self) -> Value<'_> {
        // Invariant: the schema found a content.
        self.document.root().member("content").unwrap_or_else(|| self.document.root())
    }

    /// When the sender's server says it was sent.
    pub fn origin_server_ts(&self) -> Timestamp {
        self.origin_server_ts
    }

    /// The hub that an LPDU is meant for, or that a PDU went through; `None` for an event of the hub's own users.
    pub fn hub_server(&self) -> Option<&ServerName> {
        self.hub_server.as_ref()
    }

    /// The events that allow it; none in an LPDU or a draft.
    pub fn auth_events(&self) -> &[EventId] {
        &self.auth_events
    }

    /// The events before it; none in an LPDU, a draft or a create event.
    pub fn prev_events(&self) -> &[EventId] {
        &self.prev_events
    }

    fn hashes(&self) -> Option<Value<'_>> {
        self.document.root().member("hashes")
    }

    fn signatures(&self) -> Option<Value<'_>> {
        self.document.root().member("signatures")
    }

    fn write<S: Sink>(&self, form: &Form<'_>, sink: &mut S) {
        form::write(self.bytes(), &self.slots, Some(self.content()), form, sink);
    }

    fn to_bytes(&self, form: &Form<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes().len());
        self.write(form, &mut bytes);
        bytes
    }
}
