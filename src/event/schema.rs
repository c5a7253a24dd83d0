//! The first rung: does a JSON object have the fields of an event (spec, section 3 and 4.1)?
//!
//! Assumes a document in the room version's key order; guarantees an [`Event`] whose fields need no further check. An
//! event that fails here is dropped.

use alloc::{borrow::Cow, format, vec::Vec};

use thiserror::Error;

use super::{
    Event, KnownIds, Text, Typed,
    field::{Field, FieldSet, Members, to_usize},
    form,
    hash::event_id_of,
    redact::signing_form,
    room_version::{Keep, Linking, RoomIdForm, RoomVersionRules},
};
use crate::{
    id::{EventId, IdError, RoomId, ServerName, Timestamp, UserId},
    json::{self, Document, Kind, Limits, Value},
};

/// The most bytes of a whole PDU, canonical, signatures included.
pub const MAX_PDU_BYTES: usize = 65_536;
/// The deepest nesting of an event; its own braces are the first level.
pub const MAX_DEPTH: u16 = 512;
/// The most bytes of `type` and of `state_key`.
const MAX_TEXT: usize = 255;

/// Why something is not an event: the field at fault, and the rule it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field} {rule}")]
pub struct SchemaError {
    /// The field, dotted where it is nested; `event` for the event as a whole.
    pub field: &'static str,
    /// The rule that the field breaks.
    pub rule: SchemaRule,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaRule {
    /// A required field is absent.
    #[error("is missing")]
    Missing,
    /// A field is there that must not be.
    #[error("must not be present")]
    Present,
    /// Not a JSON object.
    #[error("is not an object")]
    NotObject,
    /// Not a JSON string.
    #[error("is not a string")]
    NotString,
    /// Not an array of event IDs.
    #[error("is not an array of event ids")]
    NotEventIds,
    /// Not an integer from 0 to 2^53-1.
    #[error("is not an integer from 0 to 2^53-1")]
    NotInteger,
    /// `type` or `state_key` above 255 bytes.
    #[error("is longer than 255 bytes")]
    TooLong,
    /// An identifier outside its grammar.
    #[error("is not valid: {0}")]
    Identifier(IdError),
    /// More entries than allowed.
    #[error("has too many entries")]
    TooMany,
    /// An event other than the create event without a previous one.
    #[error("has no entry")]
    Empty,
    /// A number with `.`, `e` or `E`, a `-0`, or an integer beyond ±(2^53-1) (spec, 3.1).
    #[error("holds a number that events must not hold")]
    Number,
    /// More than 65,536 bytes.
    #[error("is larger than 65536 bytes")]
    TooLarge,
    /// Nested deeper than 512 levels.
    #[error("is nested deeper than 512 levels")]
    TooDeep,
    /// A hub refuses an LPDU whose `hashes` are other than exactly `{lpdu:{sha256}}`.
    #[error("holds more than the lpdu hash")]
    NotOnlyLpdu,
    /// A hub refuses join rules other than `public`, `invite` and `knock`.
    #[error("is not a join rule of this room version")]
    JoinRule,
    /// A hub refuses objects whose keys sort differently by UTF-16 unit and by code point.
    #[error("has keys that sort differently by utf-16 unit and by code point")]
    KeyOrder,
    /// The room version has no LPDUs.
    #[error("is of a room version without a hub")]
    NoHub,
}

/// Which fields beside the shared ones an event has at its point of the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Complete: linked, hashed and signed.
    Pdu,
    /// From a participant to its hub: hashed and signed, not linked.
    Lpdu,
    /// Of our own making: none of that yet.
    Draft,
}

/// Reads the event of a document.
pub(super) fn read(document: Document, rules: &'static RoomVersionRules, shape: Shape) -> Result<Event, SchemaError> {
    read_known(document, rules, shape, KnownIds::default()).map_err(|(error, _)| error)
}

/// As [`read`], taking identifiers that the caller holds from there: checking a key name costs a curve point. What is no
/// event is given back.
pub(super) fn read_known(
    document: Document,
    rules: &'static RoomVersionRules,
    shape: Shape,
    known: KnownIds<'_>,
) -> Result<Event, (SchemaError, Document)> {
    match typed(&document, rules, shape, known) {
        Ok(typed) => Ok(Event::new(document, rules, typed)),
        Err(error) => Err((error, document)),
    }
}

fn typed(
    document: &Document,
    rules: &'static RoomVersionRules,
    shape: Shape,
    known: KnownIds<'_>,
) -> Result<Typed, SchemaError> {
    let root = document.root();
    check_whole(root)?;
    let members = Members::read(root);
    check_numbers(root, &members)?;
    let fields = Fields { members: &members, rules, shape, known };

    let kind = fields.text(Field::Type)?;
    let content = fields.object(Field::Content)?;
    let sender = identifier(Field::Sender, UserId::parse_known(&fields.string(Field::Sender)?, known.servers))?;
    let sender_server = known.servers.iter().find(|name| name.as_str() == sender.server());
    let sender_server = sender_server.map_or_else(|| sender.server_name(), |&name| name.clone());
    let origin_server_ts = Timestamp::new(fields.integer(Field::OriginServerTs)?);
    let state_key = match members.get(Field::StateKey) {
        Some(_) => Some(fields.text(Field::StateKey)?),
        None => None,
    };
    let hub_server = fields.hub_server(&sender_server)?;
    let (auth_events, prev_events) = fields.links(kind.of(document))?;
    fields.check_hashes(hub_server.is_some())?;
    fields.check_signatures()?;
    if rules.format.linking == Linking::Graph && shape == Shape::Pdu {
        fields.integer(Field::Depth)?;
    }
    let servers = [&sender_server, hub_server.as_ref().unwrap_or(&sender_server)];
    let room_id = fields.room_id(kind.of(document), document.bytes(), content, &servers)?;
    if shape != Shape::Pdu {
        check_what_hubs_refuse(root, kind.of(document), content)?;
    }
    Ok(Typed {
        room_id,
        sender,
        sender_server,
        kind,
        state_key,
        content: content.node_index(),
        origin_server_ts,
        hub_server,
        auth_events,
        prev_events,
        hashes: members.get(Field::Hashes).map(Value::node_index),
        signatures: members.get(Field::Signatures).map(Value::node_index),
        slots: members.slots,
    })
}

/// The document without some of its top-level fields; `None` if it has none of them.
pub(super) fn without_fields(
    document: &Document,
    rules: &RoomVersionRules,
    fields: &[Field],
) -> Result<Option<Document>, SchemaError> {
    let root = document.root();
    if fields.iter().all(|field| root.member(field.name()).is_none()) {
        return Ok(None);
    }
    // A number that events must not hold would lose its spelling when the bytes are read again.
    let stays = |key: &str| fields.iter().all(|field| field.name() != key);
    let members = Members::read(root);
    if root.members().any(|member| member.value().irregular() && stays(&member.key())) {
        check_numbers(root, &members)?;
    }
    let form = form::Form { keep: FieldSet::ALL.without(fields), content: Keep::All, inserts: &[] };
    let mut bytes = Vec::with_capacity(document.bytes().len());
    form::write(document.bytes(), &members.slots, None, &form, &mut bytes);
    reread(&bytes, rules).map(Some)
}

/// Reads bytes that we made from a document that was read before.
pub(super) fn reread(bytes: &[u8], rules: &RoomVersionRules) -> Result<Document, SchemaError> {
    let limits = Limits { bytes: usize::MAX, depth: u16::MAX };
    // Invariant: slices of canonical bytes, woven into an object, parse again.
    json::parse(bytes, rules.key_order, limits).map_err(|_| fault("event", SchemaRule::NotObject))
}

pub(super) const fn fault(field: &'static str, rule: SchemaRule) -> SchemaError {
    SchemaError { field, rule }
}

fn check_whole(root: Value<'_>) -> Result<(), SchemaError> {
    if root.kind() != Kind::Object {
        return Err(fault("event", SchemaRule::NotObject));
    }
    if root.bytes().len() > MAX_PDU_BYTES {
        return Err(fault("event", SchemaRule::TooLarge));
    }
    if root.depth() > MAX_DEPTH {
        return Err(fault("event", SchemaRule::TooDeep));
    }
    Ok(())
}

fn check_numbers(root: Value<'_>, members: &Members<'_>) -> Result<(), SchemaError> {
    if !root.irregular() {
        return Ok(());
    }
    let field = members.known().find(|(_, value)| value.irregular()).map_or("event", |(field, _)| field.name());
    Err(fault(field, SchemaRule::Number))
}

/// What a hub refuses to append, of form, though a participant accepts it from a foreign hub (spec, section 3).
fn check_what_hubs_refuse(root: Value<'_>, kind: &str, content: Value<'_>) -> Result<(), SchemaError> {
    if !root.sorts_alike() {
        return Err(fault("event", SchemaRule::KeyOrder));
    }
    let refuse = |key, field| match content.member(key) {
        Some(_) => Err(fault(field, SchemaRule::Present)),
        None => Ok(()),
    };
    match kind {
        "m.room.member" => {
            refuse("third_party_invite", "content.third_party_invite")?;
            refuse("join_authorised_via_users_server", "content.join_authorised_via_users_server")
        }
        "m.room.join_rules" => match content.member("join_rule").and_then(Value::as_str).as_deref() {
            Some("public" | "invite" | "knock") => Ok(()),
            _ => Err(fault("content.join_rule", SchemaRule::JoinRule)),
        },
        "m.room.redaction" => refuse("redacts", "content.redacts"),
        _ => Ok(()),
    }
}

/// The known fields of an event that is being read.
struct Fields<'m, 'a> {
    members: &'m Members<'a>,
    rules: &'static RoomVersionRules,
    shape: Shape,
    known: KnownIds<'m>,
}

impl<'a> Fields<'_, 'a> {
    fn value(&self, field: Field) -> Result<Value<'a>, SchemaError> {
        self.members.get(field).ok_or(fault(field.name(), SchemaRule::Missing))
    }

    fn absent(&self, field: Field) -> Result<(), SchemaError> {
        match self.members.get(field) {
            Some(_) => Err(fault(field.name(), SchemaRule::Present)),
            None => Ok(()),
        }
    }

    fn string(&self, field: Field) -> Result<Cow<'a, str>, SchemaError> {
        self.value(field)?.as_str().ok_or(fault(field.name(), SchemaRule::NotString))
    }

    fn text(&self, field: Field) -> Result<Text, SchemaError> {
        let text = self.string(field)?;
        if text.len() > MAX_TEXT {
            return Err(fault(field.name(), SchemaRule::TooLong));
        }
        Ok(match text {
            Cow::Borrowed(_) => {
                let quoted = to_usize(self.value(field)?.span());
                Text::Plain(quoted.start + 1..quoted.end - 1)
            }
            Cow::Owned(text) => Text::Escaped(text.into()),
        })
    }

    fn object(&self, field: Field) -> Result<Value<'a>, SchemaError> {
        as_object(self.value(field)?, field.name())
    }

    fn integer(&self, field: Field) -> Result<u64, SchemaError> {
        let value = self.value(field)?.as_i64().and_then(|value| u64::try_from(value).ok());
        value.ok_or(fault(field.name(), SchemaRule::NotInteger))
    }

    fn event_ids(&self, field: Field, most: usize) -> Result<Vec<EventId>, SchemaError> {
        let value = self.value(field)?;
        let wrong = fault(field.name(), SchemaRule::NotEventIds);
        if value.kind() != Kind::Array {
            return Err(wrong);
        }
        let mut ids = Vec::new();
        for element in value.elements() {
            if ids.len() == most {
                return Err(fault(field.name(), SchemaRule::TooMany));
            }
            ids.push(EventId::parse(&element.as_str().ok_or(wrong)?).map_err(|_| wrong)?);
        }
        Ok(ids)
    }

    /// `auth_events` and `prev_events`. Whether a create event has any is for the auth rules to say.
    fn links(&self, kind: &str) -> Result<(Vec<EventId>, Vec<EventId>), SchemaError> {
        if self.shape != Shape::Pdu {
            self.absent(Field::AuthEvents)?;
            self.absent(Field::PrevEvents)?;
            self.absent(Field::EventId)?;
            self.absent(Field::Unsigned)?;
            return Ok((Vec::new(), Vec::new()));
        }
        let auth_events = self.event_ids(Field::AuthEvents, self.rules.format.max_auth_events.unwrap_or(usize::MAX))?;
        let prev_events = self.event_ids(Field::PrevEvents, self.rules.format.max_prev_events)?;
        if prev_events.is_empty() && kind != "m.room.create" {
            return Err(fault(Field::PrevEvents.name(), SchemaRule::Empty));
        }
        Ok((auth_events, prev_events))
    }

    fn hub_server(&self, sender_server: &ServerName) -> Result<Option<ServerName>, SchemaError> {
        if self.rules.format.linking == Linking::Graph {
            return match self.shape {
                Shape::Pdu => Ok(None),
                Shape::Lpdu | Shape::Draft => Err(fault("event", SchemaRule::NoHub)),
            };
        }
        if self.members.get(Field::HubServer).is_none() && self.shape != Shape::Lpdu {
            return Ok(None);
        }
        let text = self.string(Field::HubServer)?;
        if text == sender_server.as_str() {
            return Ok(Some(sender_server.clone()));
        }
        identifier(Field::HubServer, ServerName::parse_known(&text, self.known.servers)).map(Some)
    }

    fn check_hashes(&self, through_hub: bool) -> Result<(), SchemaError> {
        if self.shape == Shape::Draft {
            return Ok(());
        }
        let hashes = self.object(Field::Hashes)?;
        if self.shape == Shape::Pdu {
            check_hash(hashes.member("sha256"), "hashes.sha256")?;
        }
        if self.rules.format.linking == Linking::Graph {
            return Ok(());
        }
        let lpdu = hashes.member("lpdu");
        match (lpdu, through_hub) {
            (None, false) => return Ok(()),
            (Some(_), false) => return Err(fault("hashes.lpdu", SchemaRule::Present)),
            (None, true) => return Err(fault("hashes.lpdu", SchemaRule::Missing)),
            (Some(lpdu), true) => check_hash(as_object(lpdu, "hashes.lpdu")?.member("sha256"), "hashes.lpdu.sha256")?,
        }
        if self.shape == Shape::Lpdu && (hashes.len() > 1 || lpdu.is_some_and(|lpdu| lpdu.len() > 1)) {
            return Err(fault("hashes", SchemaRule::NotOnlyLpdu));
        }
        Ok(())
    }

    fn check_signatures(&self) -> Result<(), SchemaError> {
        if self.shape == Shape::Draft {
            return Ok(());
        }
        for server in self.object(Field::Signatures)?.members() {
            for signature in as_object(server.value(), Field::Signatures.name())?.members() {
                if signature.value().kind() != Kind::String {
                    return Err(fault(Field::Signatures.name(), SchemaRule::NotString));
                }
            }
        }
        Ok(())
    }

    fn room_id(
        &self,
        kind: &str,
        source: &[u8],
        content: Value<'_>,
        servers: &[&ServerName],
    ) -> Result<RoomId, SchemaError> {
        if self.rules.format.room_id == RoomIdForm::Named {
            let text = self.string(Field::RoomId)?;
            if let Some(known) = self.known.room_id.filter(|known| known.as_str() == text) {
                return Ok(known.clone());
            }
            let known =
                if servers.iter().any(|name| text.ends_with(name.as_str())) { servers } else { self.known.servers };
            return identifier(Field::RoomId, RoomId::parse_known(&text, known));
        }
        if kind != "m.room.create" {
            return identifier(Field::RoomId, RoomId::parse_v12(&self.string(Field::RoomId)?));
        }
        self.absent(Field::RoomId)?;
        let mut signed = Vec::with_capacity(source.len());
        let form = signing_form(self.rules, kind, &[]);
        form::write(source, &self.members.slots, Some(content), &form, &mut signed);
        let id = format!("{}", event_id_of(&signed));
        identifier(Field::RoomId, RoomId::parse_v12(&id.replace('$', "!")))
    }
}

fn as_object<'a>(value: Value<'a>, field: &'static str) -> Result<Value<'a>, SchemaError> {
    if value.kind() == Kind::Object { Ok(value) } else { Err(fault(field, SchemaRule::NotObject)) }
}

/// A hash has to be there and to be a string. Whether it is the right one is for a later rung: a string that is no
/// base64 is merely wrong (spec, 3.2).
fn check_hash(hash: Option<Value<'_>>, field: &'static str) -> Result<(), SchemaError> {
    match hash.map(Value::kind) {
        Some(Kind::String) => Ok(()),
        Some(_) => Err(fault(field, SchemaRule::NotString)),
        None => Err(fault(field, SchemaRule::Missing)),
    }
}

fn identifier<T>(field: Field, parsed: Result<T, IdError>) -> Result<T, SchemaError> {
    parsed.map_err(|error| fault(field.name(), SchemaRule::Identifier(error)))
}
