//! Redaction, and the forms that are cut from a redacted event: what is signed, and what its ID covers (spec, 3.3, 3.4).

use alloc::vec::Vec;

use super::{
    Event,
    field::{Field, Members},
    form::{self, Form, Insert},
    hash::event_id_of,
    room_version::{Linking, RoomVersionRules},
    schema::{self, Shape},
};
use crate::{
    id::EventId,
    json::{Document, Kind, Value},
};

/// The event after redaction, as canonical bytes. Its ID and its signatures stay valid; its content hash does not.
pub fn redact(event: &Event) -> Vec<u8> {
    let form = Form {
        keep: event.rules().redaction.top_level,
        content: event.rules().redaction.content(event.kind()),
        inserts: &[],
    };
    event.to_bytes(&form)
}

/// The bytes that a signature of this event covers, in the form in which the event stands.
pub fn signing_input(event: &Event) -> Vec<u8> {
    event.to_bytes(&signing_form(event.rules(), event.kind(), &[]))
}

/// The bytes that the sender signed: of an event that went through a hub, its LPDU is rebuilt.
///
/// Gives the same bytes for an LPDU and for the PDU made of it.
pub fn sender_signing_input(event: &Event) -> Vec<u8> {
    if event.hub_server().is_none() || event.rules().format.linking == Linking::Graph {
        return signing_input(event);
    }
    let hashes = lpdu_hashes_member(event);
    let inserts = hashes.as_deref().map(|member| Insert { field: Field::Hashes, member });
    let form = signing_form(event.rules(), event.kind(), inserts.as_slice());
    let keep = form.keep.without(&[Field::AuthEvents, Field::Hashes, Field::PrevEvents]);
    event.to_bytes(&Form { keep, ..form })
}

/// The ID of what was received, whatever it is worth: for naming what the schema refuses (spec, section 6, /send).
///
/// `None` if it is no object.
pub fn received_id(document: &Document, rules: &RoomVersionRules) -> Option<EventId> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return None;
    }
    let members = Members::read(root);
    let kind = members.get(Field::Type).and_then(Value::as_str).unwrap_or_default();
    let mut signed = Vec::with_capacity(document.bytes().len());
    let form = signing_form(rules, &kind, &[]);
    form::write(document.bytes(), &members.slots, members.get(Field::Content), &form, &mut signed);
    Some(event_id_of(&signed))
}

pub(super) fn signing_form<'a>(rules: &RoomVersionRules, kind: &str, inserts: &'a [Insert<'a>]) -> Form<'a> {
    Form {
        keep: rules.redaction.top_level.without(&[Field::Signatures]),
        content: rules.redaction.content(kind),
        inserts,
    }
}

/// The redacted copy as an event.
pub(super) fn redacted(event: &Event) -> Result<Event, schema::SchemaError> {
    schema::read(schema::reread(&redact(event), event.rules())?, event.rules(), Shape::Pdu)
}

/// `"hashes":{"lpdu":…}`, cut down from the event's own hashes.
pub(super) fn lpdu_hashes_member(event: &Event) -> Option<Vec<u8>> {
    let lpdu = event.hashes().and_then(|hashes| hashes.member("lpdu"))?;
    Some([b"\"hashes\":{\"lpdu\":", lpdu.bytes(), b"}"].concat())
}
