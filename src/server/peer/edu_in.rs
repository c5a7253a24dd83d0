//! EDUs of a transaction: each to whom it concerns, if it is the caller's to send (spec, section 11). What is malformed is dropped.

use alloc::{borrow::Cow, vec::Vec};

use super::{PeerMachine, Pending};
use crate::{
    id::{DeviceId, RoomId, UserId},
    json::{Document, KeyOrder, Kind, Limits, Value, parse, write_object},
    ordered::{Map, Set},
    server::{
        contract::{Address, Output},
        message::{Call, Notification, RoomCall},
    },
};

/// The largest EDU of ephemeral application data, in bytes.
const MAX_EPHEMERAL: usize = 4_096;

/// More rooms than this are not served by one receipt.
const MAX_ROOMS: usize = 16;

type Message = (Option<DeviceId>, Document);

impl PeerMachine {
    /// The messages to devices, by local user.
    pub(super) fn device_messages(&self, edus: &[Document]) -> Map<UserId, Vec<Message>> {
        let mut messages: Map<UserId, Vec<Message>> = Map::new();
        for edu in edus {
            if let Some((user, message)) = self.device_message(edu.root()) {
                messages.entry(user).or_default().push(message);
            }
        }
        messages
    }

    fn device_message(&self, edu: Value<'_>) -> Option<(UserId, Message)> {
        let sender = self.sender_of(edu, "m.direct_to_device")?;
        let content = edu.member("content")?;
        let target = UserId::parse(&text(content, "target")?).ok().filter(|user| self.is_ours(user))?;
        let device = match text(content, "target_device")? {
            device if device == "*" => None,
            device => Some(DeviceId::parse(&device).ok()?),
        };
        let message = content.member("message").filter(|message| message.kind() == Kind::Object)?;
        let kind = text(content, "message_type")?;
        let mut bytes = Vec::new();
        write_object(&mut bytes, |out| {
            out.raw("content", message.bytes());
            out.string("sender", sender.as_str());
            out.string("type", &kind);
        });
        let limits = Limits { bytes: usize::MAX, depth: u16::MAX };
        Some((target, (device, parse(&bytes, KeyOrder::Utf16, limits).ok()?)))
    }

    /// Hands on what needs no answer: what is said in rooms, and which devices changed.
    pub(super) fn pass_on_edus(&mut self, edus: &[Document]) {
        let mut rooms: Map<RoomId, Vec<Document>> = Map::new();
        for edu in edus {
            for room in rooms_of(edu) {
                rooms.entry(room).or_default().push(edu.clone());
            }
            if let Some(changed) = self.devices_changed(edu.root()) {
                self.desk.put(Output::Notify(changed));
            }
        }
        for (room, edus) in rooms {
            let call = RoomCall::Ephemeral { origin: self.name.clone(), edus };
            self.ask(Address::Room(room), Call::Room(call), Pending::Nobody);
        }
    }

    fn devices_changed(&self, edu: Value<'_>) -> Option<Notification> {
        let user = self.sender_of(edu, "m.device_list_update")?;
        let content = edu.member("content")?;
        let list = |key| content.member(key).into_iter().flat_map(Value::elements);
        let is_theirs = |object: &Value<'_>| {
            let device = text(*object, "device_id").is_some_and(|id| DeviceId::parse(&id).is_ok());
            device && text(*object, "user_id").as_deref() == Some(user.as_str())
        };
        let changed = list("changed").filter(is_theirs).map(Value::to_document).collect();
        let removed = list("removed").filter_map(|id| DeviceId::parse(&id.as_str()?).ok()).collect();
        Some(Notification::DevicesChanged { user, changed, removed })
    }

    /// The sender of an EDU of that type, if it is the caller's user.
    fn sender_of(&self, edu: Value<'_>, kind: &str) -> Option<UserId> {
        if text(edu, "type")? != kind {
            return None;
        }
        let sender = text(edu, "sender").or_else(|| text(edu, "sender_id"))?;
        UserId::parse(&sender).ok().filter(|user| user.server() == self.name.as_str())
    }
}

/// The rooms that an EDU in Matrix's shape is about; whether the sender may say it is for the room to judge.
fn rooms_of(edu: &Document) -> Set<RoomId> {
    let root = edu.root();
    let Some(content) = root.member("content") else { return Set::new() };
    let room = |id: &str| RoomId::parse(id).ok();
    match text(root, "edu_type").as_deref() {
        Some("m.typing") => text(content, "room_id").and_then(|id| room(&id)).into_iter().collect(),
        Some("hublet.ephemeral") if edu.bytes().len() <= MAX_EPHEMERAL => {
            text(content, "room_id").and_then(|id| room(&id)).into_iter().collect()
        }
        Some("m.receipt") => content.members().filter_map(|member| room(&member.key())).take(MAX_ROOMS).collect(),
        _ => Set::new(),
    }
}

fn text<'a>(object: Value<'a>, key: &str) -> Option<Cow<'a, str>> {
    object.member(key).and_then(Value::as_str)
}
