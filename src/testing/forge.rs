//! Events as a hostile hub would make them: rightly signed and hashed, whatever they say.

use alloc::{string::String, vec::Vec};

use super::{content, server, signing_key, user};
use crate::{
    event::{Event, LINEARIZED_02, UnverifiedPdu, content_hash, lpdu_hash, sender_signing_input, signing_input},
    id::{EventId, RoomId},
    json::{Document, ObjectWriter, write_object},
};

/// What a forged event says.
#[derive(Clone, Debug)]
pub struct Forgery<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// The hub that signs it.
    pub hub: &'a str,
    /// The user, whose server signs it too.
    pub sender: &'a str,
    /// The event's type.
    pub kind: &'a str,
    /// The state key.
    pub state_key: Option<&'a str>,
    /// The content.
    pub body: &'a str,
    /// The events that allow it.
    pub auth_events: &'a [EventId],
    /// The events before it.
    pub prev_events: &'a [EventId],
    /// When it was sent.
    pub ts: i64,
}

impl Forgery<'_> {
    /// The event, signed by both servers with the keys that follow from their names.
    pub fn make(&self) -> (EventId, Document) {
        self.make_without(&[])
    }

    /// The same without the signatures of these servers.
    pub fn make_without(&self, unsigned: &[&str]) -> (EventId, Document) {
        let bare = self.write(None, None, &[]);
        let lpdu = self.is_foreign().then(|| String::from(lpdu_hash(&event(&bare)).as_str()));
        let hashed = self.write(lpdu.as_deref(), None, &[]);
        let hash = String::from(content_hash(&event(&hashed)).as_str());
        let event = event(&self.write(lpdu.as_deref(), Some(&hash), &[]));
        let sender = user(self.sender);
        let mut signatures = Vec::from([(self.hub, signing_key(self.hub).sign(&signing_input(&event)).to_text())]);
        if self.is_foreign() {
            let signature = signing_key(sender.server()).sign(&sender_signing_input(&event));
            signatures.push((sender.server(), signature.to_text()));
        }
        signatures.retain(|(server, _)| !unsigned.contains(server));
        signatures.sort_unstable();
        let whole = self.write(lpdu.as_deref(), Some(&hash), &signatures);
        (pdu(&whole).event_id(), whole)
    }

    fn is_foreign(&self) -> bool {
        user(self.sender).server() != self.hub
    }

    fn write(&self, lpdu: Option<&str>, hash: Option<&str>, signatures: &[(&str, String)]) -> Document {
        let ids = |event: &mut ObjectWriter<'_>, key: &str, ids: &[EventId]| {
            event.array(key, |list| ids.iter().for_each(|id| list.string(&alloc::format!("{id}"))));
        };
        let mut bytes = Vec::new();
        write_object(&mut bytes, |event| {
            ids(event, "auth_events", self.auth_events);
            event.raw("content", content(self.body).bytes());
            event.object("hashes", |hashes| {
                if self.is_foreign() {
                    hashes.object("lpdu", |hashes| hashes.string("sha256", lpdu.unwrap_or_default()));
                }
                hashes.string("sha256", hash.unwrap_or_default());
            });
            if self.is_foreign() {
                event.string("hub_server", server(self.hub).as_str());
            }
            event.int("origin_server_ts", self.ts);
            ids(event, "prev_events", self.prev_events);
            event.string("room_id", self.room_id.as_str());
            event.string("sender", self.sender);
            event.object("signatures", |all| {
                for (server, signature) in signatures {
                    all.object(server, |keys| keys.string("ed25519:1", signature));
                }
            });
            if let Some(state_key) = self.state_key {
                event.string("state_key", state_key);
            }
            event.string("type", self.kind);
        });
        content(core::str::from_utf8(&bytes).unwrap())
    }
}

fn pdu(document: &Document) -> UnverifiedPdu {
    UnverifiedPdu::parse(document.clone(), &LINEARIZED_02).unwrap()
}

fn event(document: &Document) -> Event {
    pdu(document).event().clone()
}
