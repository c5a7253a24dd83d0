//! EDUs of rooms in Matrix's shape, `{edu_type, content}`, read and written.

use alloc::{borrow::Cow, string::String, vec::Vec};

use crate::{
    id::{EventId, RoomId, Timestamp, UserId},
    json::{Document, Kind, Member, Value},
    server::{
        message::{Failure, MAX_EPHEMERAL},
        room::draft::object,
    },
};

/// The receipts of one EDU that are read.
const MOST_RECEIPTS: usize = 100;

/// The longest name of a kind of data, in bytes.
const LONGEST_KIND: usize = 255;

/// What is said in one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Typing {
        user: UserId,
        typing: bool,
    },
    /// Public read receipts, by user; private ones stay at home.
    Receipts(Vec<(UserId, Document)>),
    Data {
        sender: UserId,
        kind: String,
        data: Document,
    },
}

impl Said {
    /// A user's receipt for an event.
    pub(super) fn read(user: &UserId, event_id: EventId, now: Timestamp) -> Result<Self, Failure> {
        let receipt = object(|receipt| {
            receipt.object("data", |data| data.int("ts", i64::try_from(now.millis()).unwrap_or(i64::MAX)));
            receipt.array("event_ids", |ids| ids.string(&alloc::format!("{event_id}")));
        })?;
        Ok(Self::Receipts(Vec::from([(user.clone(), receipt)])))
    }

    /// What an EDU says in `room_id`; nothing if it is malformed or about another room.
    pub(super) fn parse(edu: &Document, room_id: &RoomId) -> Option<Self> {
        let content = edu.root().member("content")?;
        let is_here = || text(content, "room_id").as_deref() == Some(room_id.as_str());
        let user = |key| UserId::parse(&text(content, key)?).ok();
        match text(edu.root(), "edu_type")?.as_ref() {
            "m.typing" if is_here() => {
                Some(Self::Typing { user: user("user_id")?, typing: content.member("typing")?.as_bool()? })
            }
            "m.receipt" => {
                let receipts = content.member(room_id.as_str())?.member("m.read")?.members();
                let receipt = |member: Member<'_>| {
                    let receipt = Some(member.value()).filter(|receipt| receipt.kind() == Kind::Object)?;
                    Some((UserId::parse(&member.key()).ok()?, receipt.to_document()))
                };
                Some(Self::Receipts(receipts.take(MOST_RECEIPTS).filter_map(receipt).collect()))
            }
            "hublet.ephemeral" if is_here() && edu.bytes().len() <= MAX_EPHEMERAL => {
                let kind = text(content, "kind").filter(|kind| kind.len() <= LONGEST_KIND)?.into_owned();
                Some(Self::Data { sender: user("sender")?, kind, data: content.member("data")?.to_document() })
            }
            _ => None,
        }
    }

    /// What of it is said by users who may say it; nothing if nobody may.
    pub(super) fn of(self, mut may_say: impl FnMut(&UserId) -> bool) -> Option<Self> {
        match self {
            Self::Typing { ref user, .. } | Self::Data { sender: ref user, .. } => may_say(user).then_some(self),
            Self::Receipts(mut receipts) => {
                receipts.retain(|(user, _)| may_say(user));
                (!receipts.is_empty()).then_some(Self::Receipts(receipts))
            }
        }
    }

    /// The EDU.
    pub(super) fn write(&self, room_id: &RoomId) -> Result<Document, Failure> {
        let room_id = room_id.as_str();
        match self {
            Self::Typing { user, typing } => object(|edu| {
                edu.object("content", |content| {
                    content.string("room_id", room_id);
                    content.bool("typing", *typing);
                    content.string("user_id", user.as_str());
                });
                edu.string("edu_type", "m.typing");
            }),
            Self::Receipts(receipts) => object(|edu| {
                edu.object("content", |content| {
                    content.object(room_id, |room| {
                        room.object("m.read", |read| {
                            receipts.iter().for_each(|(user, receipt)| read.raw(user.as_str(), receipt.bytes()));
                        });
                    });
                });
                edu.string("edu_type", "m.receipt");
            }),
            Self::Data { sender, kind, data } => object(|edu| {
                edu.object("content", |content| {
                    content.raw("data", data.bytes());
                    content.string("kind", kind);
                    content.string("room_id", room_id);
                    content.string("sender", sender.as_str());
                });
                edu.string("edu_type", "hublet.ephemeral");
            }),
        }
    }
}

fn text<'a>(object: Value<'a>, key: &str) -> Option<Cow<'a, str>> {
    object.member(key).and_then(Value::as_str)
}
