//! What a local user, an operator or a shell asks of a machine, as a plain object.

use alloc::{boxed::Box, string::String, vec::Vec};

use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::{
    form::{Argument, document, needed, parsed, parsed_list},
    request::RequestForm,
};
use crate::{
    event::LINEARIZED_02,
    id::{DeviceId, EventId, KeyId, RoomVersionId, ServerName, UserId},
    room::membership::Membership,
    server::{AccountCall, Call, Ephemeral, KeyNeeds, OwnCall, PeerCall, RoomCall, endpoint::ProfileField},
};

/// A call: its type, and the fields of all types. One flat form reads smaller than a form a type, and can name the field that is missing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CallForm {
    r#type: String,
    creator: Option<String>,
    public: bool,
    name: Option<String>,
    version: Option<String>,
    content: Option<String>,
    txn: Option<String>,
    sender: Option<String>,
    kind: Option<String>,
    state_key: Option<String>,
    user: Option<String>,
    membership: Option<String>,
    via: Vec<String>,
    to: Option<String>,
    from: Option<i64>,
    before: Option<i64>,
    limit: Option<u32>,
    device: Option<String>,
    after: Option<u64>,
    field: Option<String>,
    value: Option<String>,
    method: Option<String>,
    target: Option<String>,
    body: Option<String>,
    request: Option<RequestForm>,
    typing: Option<bool>,
    event_id: Option<String>,
    data: Option<String>,
    lines: Option<ByteBuf>,
    end: bool,
    server: Option<String>,
    key_ids: Vec<String>,
    last_resort: bool,
}

impl CallForm {
    /// The call.
    pub(crate) fn read(mut self) -> Result<Call, Argument> {
        Ok(match self.r#type.as_str() {
            "create" => Call::Room(self.create()?),
            "send" => Call::Room(self.send()?),
            "state" => Call::Room(RoomCall::State { kind: self.kind, state_key: self.state_key }),
            "pending" => Call::Room(RoomCall::Pending),
            "event" => Call::Room(RoomCall::Find { event_id: parsed(self.event_id, "eventId", EventId::parse)? }),
            "member" => Call::Room(RoomCall::Member {
                user: parsed(self.user, "user", UserId::parse)?,
                membership: membership(&needed(self.membership, "membership")?)?,
                via: parsed_list(&self.via, "via", ServerName::parse)?,
            }),
            "typing" => {
                let typing = needed(self.typing, "typing")?;
                Call::Room(self.fleeting(Ephemeral::Typing(typing))?)
            }
            "read" => {
                let event_id = parsed(self.event_id.take(), "eventId", EventId::parse)?;
                Call::Room(self.fleeting(Ephemeral::Read(event_id))?)
            }
            "ephemeral" => {
                let kind = needed(self.kind.take(), "kind")?;
                let data = document(&needed(self.data.take(), "data")?, "data")?;
                Call::Room(self.fleeting(Ephemeral::Data { kind, data })?)
            }
            "consent" => Call::Room(RoomCall::Consent { to: parsed(self.to, "to", ServerName::parse)? }),
            "timeline" => {
                Call::Room(RoomCall::Timeline { from: needed(self.from, "from")?, limit: needed(self.limit, "limit")? })
            }
            "history" => Call::Room(RoomCall::History {
                before: needed(self.before, "before")?,
                limit: needed(self.limit, "limit")?,
            }),
            "restore" => Call::Room(RoomCall::Restore {
                from: u64::try_from(needed(self.from, "from")?).map_err(|error| Argument::of("from", error))?,
                lines: needed(self.lines, "lines")?.into_vec(),
                end: self.end,
            }),
            "invites" => own(OwnCall::Invites),
            "rooms" => own(OwnCall::Rooms),
            "messages" => own(OwnCall::Messages {
                device: parsed(self.device, "device", DeviceId::parse)?,
                after: needed(self.after, "after")?,
                limit: needed(self.limit, "limit")?,
            }),
            "putDevice" => own(OwnCall::PutDevice(document(&needed(self.content, "content")?, "content")?)),
            "addKeys" => {
                let keys = document(&needed(self.content, "content")?, "content")?;
                own(OwnCall::AddKeys {
                    device: parsed(self.device, "device", DeviceId::parse)?,
                    keys: keys.root().members().map(|key| (key.key().into(), key.value().to_document())).collect(),
                    last_resort: self.last_resort,
                })
            }
            "setProfile" => own(OwnCall::SetProfile(profile_field(&needed(self.field, "field")?)?, self.value)),
            "keys" => Call::Peer(PeerCall::Keys(KeyNeeds {
                server: parsed(self.server, "server", ServerName::parse)?,
                key_ids: parsed_list(&self.key_ids, "keyIds", KeyId::parse)?,
                notary: None,
            })),
            "serve" => Call::Peer(PeerCall::Serve(Box::new(needed(self.request, "request")?.read()?))),
            "fetch" => Call::Peer(self.fetch()?),
            "reached" => Call::Peer(PeerCall::Reached),
            "front" => Call::Front(Box::new(needed(self.request, "request")?.read()?)),
            other => return Err(Argument::of("type", alloc::format!("no call is named `{other}`"))),
        })
    }

    fn create(self) -> Result<RoomCall, Argument> {
        Ok(RoomCall::Create {
            creator: parsed(self.creator, "creator", UserId::parse)?,
            public: self.public,
            name: self.name,
            version: parsed(self.version.or_else(|| Some(LINEARIZED_02.id.into())), "version", RoomVersionId::parse)?,
            create_content: self.content.map(|text| document(&text, "content")).transpose()?,
        })
    }

    fn send(self) -> Result<RoomCall, Argument> {
        let sender = parsed(self.sender, "sender", UserId::parse)?;
        let (kind, state_key) = (needed(self.kind, "kind")?, self.state_key);
        let content = document(&needed(self.content, "content")?, "content")?;
        Ok(match self.txn {
            Some(txn) => RoomCall::SendOnce { txn, sender, kind, state_key, content },
            None => RoomCall::SendEvent { sender, kind, state_key, content },
        })
    }

    fn fleeting(self, what: Ephemeral) -> Result<RoomCall, Argument> {
        Ok(RoomCall::SendEphemeral { sender: parsed(self.sender, "sender", UserId::parse)?, what })
    }

    fn fetch(self) -> Result<PeerCall, Argument> {
        let method = needed(self.method, "method")?;
        Ok(PeerCall::Fetch {
            method: http::Method::from_bytes(method.as_bytes()).map_err(|error| Argument::of("method", error))?,
            target: needed(self.target, "target")?,
            body: self.body.map(|text| document(&text, "body")).transpose()?,
        })
    }
}

const fn own(call: OwnCall) -> Call {
    Call::Account(AccountCall::Own(call))
}

fn membership(word: &str) -> Result<Membership, Argument> {
    match Membership::parse(word) {
        Some(known @ (Membership::Join | Membership::Knock | Membership::Leave)) => Ok(known),
        _ => Err(Argument::of("membership", "must be `join`, `knock` or `leave`")),
    }
}

fn profile_field(name: &str) -> Result<ProfileField, Argument> {
    ProfileField::from_text(name).ok_or_else(|| Argument::of("field", "must be `displayname` or `avatar_url`"))
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use serde_bytes::ByteBuf;

    use super::{Argument, CallForm};

    fn form(kind: &str) -> CallForm {
        CallForm { r#type: kind.into(), ..CallForm::default() }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn each_type_becomes_its_call() {
        let create = CallForm { creator: text("@a:b.example"), public: true, content: text("{}"), ..form("create") };
        let send = CallForm { sender: text("@a:b.example"), kind: text("m"), content: text("{}"), ..form("send") };
        let member = CallForm {
            user: text("@a:b.example"),
            membership: text("join"),
            via: [String::from("c.example")].into(),
            ..form("member")
        };
        let fetch = CallForm { method: text("GET"), target: text("/x"), ..form("fetch") };
        let from = |kind| CallForm { sender: text("@a:b.example"), ..form(kind) };
        let pointer = CallForm { kind: text("cursor"), data: text("[1]"), ..from("ephemeral") };
        let messages = CallForm { device: text("D"), after: Some(1), limit: Some(2), ..form("messages") };
        for (form, expected) in [
            (create, "Room(Create { creator: UserId(@a:b.example), public: true"),
            (send, "Room(SendEvent { sender: UserId(@a:b.example), kind: \"m\", state_key: None, content: {} })"),
            (member, "Room(Member { user: UserId(@a:b.example), membership: Join, via: [ServerName(c.example)] })"),
            (
                CallForm { kind: text("m"), content: text("{}"), txn: text("1"), ..from("send") },
                "Room(SendOnce { txn: \"1\", sender: UserId(@a:b.example), kind: \"m\", state_key: None, content: {} })",
            ),
            (CallForm { kind: text("m"), ..form("state") }, "Room(State { kind: Some(\"m\"), state_key: None })"),
            (form("pending"), "Room(Pending)"),
            (form("reached"), "Peer(Reached)"),
            (
                CallForm { typing: Some(true), ..from("typing") },
                "Room(SendEphemeral { sender: UserId(@a:b.example), what: Typing(true) })",
            ),
            (
                CallForm { event_id: text(&alloc::format!("${}", "A".repeat(43))), ..from("read") },
                "Room(SendEphemeral { sender: UserId(@a:b.example), what: Read(",
            ),
            (
                pointer,
                "Room(SendEphemeral { sender: UserId(@a:b.example), what: Data { kind: \"cursor\", data: [1] } })",
            ),
            (
                CallForm { event_id: text(&alloc::format!("${}", "A".repeat(43))), ..form("event") },
                "Room(Find { event_id: ",
            ),
            (CallForm { to: text("c.example"), ..form("consent") }, "Room(Consent { to: ServerName(c.example) })"),
            (CallForm { from: Some(-1), limit: Some(2), ..form("timeline") }, "Room(Timeline { from: -1, limit: 2 })"),
            (CallForm { before: Some(0), limit: Some(2), ..form("history") }, "Room(History { before: 0, limit: 2 })"),
            (
                CallForm { from: Some(3), lines: Some(ByteBuf::from(b"{}")), end: true, ..form("restore") },
                "Room(Restore { from: 3, lines: [123, 125], end: true })",
            ),
            (
                CallForm { server: text("c.example"), key_ids: ["ed25519:1".into()].into(), ..form("keys") },
                "Peer(Keys(KeyNeeds { server: ServerName(c.example), key_ids: [KeyId(ed25519:1)], notary: None }))",
            ),
            (form("invites"), "Account(Own(Invites))"),
            (form("rooms"), "Account(Own(Rooms))"),
            (CallForm { content: text("{}"), ..form("putDevice") }, "Account(Own(PutDevice({})))"),
            (
                CallForm { device: text("D"), content: text(r#"{"k:1":"x"}"#), last_resort: true, ..form("addKeys") },
                "Account(Own(AddKeys { device: DeviceId(D), keys: [(\"k:1\", \"x\")], last_resort: true }))",
            ),
            (messages, "Account(Own(Messages { device: DeviceId(D), after: 1, limit: 2 }))"),
            (
                CallForm { field: text("displayname"), ..form("setProfile") },
                "Account(Own(SetProfile(DisplayName, None)))",
            ),
            (fetch, "Peer(Fetch { method: GET, target: \"/x\", body: None })"),
        ] {
            let call = format!("{:?}", form.read().unwrap());
            assert!(call.starts_with(expected), "{call}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let user = || text("@a:b.example");
        for (form, expected) in [
            (form("dance"), "`type`: no call is named `dance`"),
            (form("create"), "`creator`: is missing"),
            (CallForm { to: text("no name"), ..form("consent") }, "`to`: "),
            (CallForm { user: user(), membership: text("ban"), ..form("member") }, "`membership`: must be"),
            (CallForm { sender: user(), kind: text("m"), content: text("{"), ..form("send") }, "`content`: bad syntax"),
            (CallForm { method: text("G T"), target: text("/"), ..form("fetch") }, "`method`: "),
            (form("serve"), "`request`: is missing"),
            (CallForm { from: Some(-1), lines: Some(ByteBuf::new()), ..form("restore") }, "`from`: "),
            (form("keys"), "`server`: is missing"),
            (form("typing"), "`typing`: is missing"),
            (CallForm { event_id: text("$1"), ..form("read") }, "`eventId`: "),
            (form("event"), "`eventId`: is missing"),
            (CallForm { field: text("age"), ..form("setProfile") }, "`field`: must be"),
        ] {
            let Err(Argument(error)) = form.read() else { panic!("{expected}") };
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
