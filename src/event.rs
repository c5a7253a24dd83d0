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

mod batch;
mod build;
mod complete;
mod field;
mod form;
mod hash;
mod ladder;
mod opening;
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
pub use hash::{HashText, content_hash, content_hash_input, lpdu_hash, lpdu_hash_input, reference_hash};
pub use ladder::{Integrity, KeyNeed, Parsed, Sender, UnverifiedLpdu, UnverifiedPdu, VerifiedLpdu, VerifiedPdu};
pub use opening::Openings;
pub use redact::{received_id, redact, sender_signing_input, signing_input};
pub use room_version::{
    EventFormat, I_1, Keep, KeepKey, LINEARIZED_02, Linking, RedactionRules, RoomIdForm, RoomVersionRules, V10, V11,
    V12, rules,
};
pub use schema::{MAX_DEPTH, MAX_PDU_BYTES, SchemaError, SchemaRule};
pub use sign_json::{ObjectSignatureError, add_signature, insert_signature, signed_forms, verify_object};
pub use verify::{KeyLookup, KeySource, KeyUse, Role, Signatory, VerifyError};

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::ops::Range;

use crate::{
    id::{EventId, RoomId, ServerName, Timestamp, UserId},
    json::{Document, NodeIndex, Value},
};
use field::Slot;
use form::{Form, Sink};

/// A well-formed event: its canonical bytes, and its fields read once. LPDU and PDU share this shape.
///
/// That it is well-formed says nothing of who made it; the rung that holds it does. Cloning one copies a pointer.
#[derive(Debug, Clone)]
pub struct Event {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    document: Document,
    rules: &'static RoomVersionRules,
    typed: Typed,
}

/// What was read of an event's document.
#[derive(Debug)]
struct Typed {
    slots: Vec<Slot>,
    room_id: RoomId,
    sender: UserId,
    sender_server: ServerName,
    kind: Text,
    state_key: Option<Text>,
    content: NodeIndex,
    origin_server_ts: Timestamp,
    hub_server: Option<ServerName>,
    auth_events: Vec<EventId>,
    prev_events: Vec<EventId>,
    hashes: Option<NodeIndex>,
    signatures: Option<NodeIndex>,
}

/// A string of a document: where its letters stand, or, of one that is written with escapes, the letters.
#[derive(Debug)]
enum Text {
    Plain(Range<usize>),
    Escaped(Box<str>),
}

/// Identifiers that are right. What is equal to one of them is taken from here: it is not checked again, and takes no
/// memory of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownIds<'a> {
    /// The room that an event is likely of.
    pub room_id: Option<&'a RoomId>,
    /// Servers that an event is likely to name.
    pub servers: &'a [&'a ServerName],
}

impl Event {
    fn new(document: Document, rules: &'static RoomVersionRules, typed: Typed) -> Self {
        Self { inner: Arc::new(Inner { document, rules, typed }) }
    }

    /// Reads an event from our own store: the schema is checked, hashes and signatures are not.
    ///
    /// # Errors
    /// A [`SchemaError`] if the stored bytes are no PDU.
    pub fn from_store(document: Document, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        schema::read(document, rules, schema::Shape::Pdu)
    }

    /// The canonical bytes, signatures included.
    pub fn bytes(&self) -> &[u8] {
        self.inner.document.bytes()
    }

    /// The canonical bytes with their table of nodes.
    pub fn document(&self) -> &Document {
        &self.inner.document
    }

    /// The rules of the room version that the event was read under.
    pub fn rules(&self) -> &'static RoomVersionRules {
        self.inner.rules
    }

    /// The room. Where the room's ID is the create event's hash, that event has the one that follows from itself.
    pub fn room_id(&self) -> &RoomId {
        &self.inner.typed.room_id
    }

    /// The user who sent it.
    pub fn sender(&self) -> &UserId {
        &self.inner.typed.sender
    }

    /// The server of the sender.
    pub fn sender_server(&self) -> &ServerName {
        &self.inner.typed.sender_server
    }

    /// The `type`, at most 255 bytes.
    pub fn kind(&self) -> &str {
        self.inner.typed.kind.of(&self.inner.document)
    }

    /// The `state_key`, at most 255 bytes; `None` for an event that is no state.
    pub fn state_key(&self) -> Option<&str> {
        self.inner.typed.state_key.as_ref().map(|text| text.of(&self.inner.document))
    }

    /// Whether it is a state event.
    pub fn is_state(&self) -> bool {
        self.inner.typed.state_key.is_some()
    }

    /// The `content`, an object.
    pub fn content(&self) -> Value<'_> {
        self.inner.document.at(self.inner.typed.content)
    }

    /// When the sender's server says it was sent.
    pub fn origin_server_ts(&self) -> Timestamp {
        self.inner.typed.origin_server_ts
    }

    /// The hub that an LPDU is meant for, or that a PDU went through; `None` for an event of the hub's own users.
    pub fn hub_server(&self) -> Option<&ServerName> {
        self.inner.typed.hub_server.as_ref()
    }

    /// The events that allow it; none in an LPDU or a draft.
    pub fn auth_events(&self) -> &[EventId] {
        &self.inner.typed.auth_events
    }

    /// The events before it; none in an LPDU, a draft or a create event.
    pub fn prev_events(&self) -> &[EventId] {
        &self.inner.typed.prev_events
    }

    fn hashes(&self) -> Option<Value<'_>> {
        self.inner.typed.hashes.map(|node| self.inner.document.at(node))
    }

    fn signatures(&self) -> Option<Value<'_>> {
        self.inner.typed.signatures.map(|node| self.inner.document.at(node))
    }

    fn write<S: Sink>(&self, form: &Form<'_>, sink: &mut S) {
        form::write(self.bytes(), &self.inner.typed.slots, Some(self.content()), form, sink);
    }

    fn to_bytes(&self, form: &Form<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes().len());
        self.write(form, &mut bytes);
        bytes
    }
}

impl Text {
    fn of<'d>(&'d self, document: &'d Document) -> &'d str {
        match self {
            Self::Plain(range) => document.text().get(range.clone()).unwrap_or_default(),
            Self::Escaped(text) => text,
        }
    }
}
