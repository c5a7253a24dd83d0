//! Making a room: its first events, in one commit.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{
    append::Append,
    candidate::{Candidate, Made, ReplyTo},
    context::{Context, refuse},
    draft::{self, malformed, object},
    profile,
    work::{Progress, Resume, Work},
};
use crate::{
    event::{Linking, PduDraft, RoomVersionRules, rules},
    id::{RoomVersionId, UserId},
    json::Document,
    room::{head::Room, kind, membership::Membership},
    server::{
        contract::{Moment, Ticket},
        message::{ErrorCode, Failure},
    },
};

/// The room to be made.
pub(super) struct Wish {
    pub(super) creator: UserId,
    pub(super) public: bool,
    pub(super) name: Option<String>,
    pub(super) version: RoomVersionId,
    pub(super) create_content: Option<Document>,
}

/// Makes the room.
pub(super) fn work(context: &Context, ticket: Ticket, wish: Wish) -> Box<dyn Work> {
    match check(context, &wish) {
        Ok(rules) => {
            let user = wish.creator.clone();
            let then = move |_: &mut Context, member| -> Box<dyn Work> {
                Box::new(Create { ticket, wish, rules, member, append: None })
            };
            profile::ask(ticket, user, Membership::Join, Box::new(then))
        }
        Err(failure) => refuse(ticket, failure),
    }
}

struct Create {
    ticket: Ticket,
    wish: Wish,
    rules: &'static RoomVersionRules,
    /// The content of the creator's join.
    member: Document,
    /// The events on their way into the log.
    append: Option<Box<dyn Work>>,
}

impl Work for Create {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if let Some(append) = &mut self.append {
            return append.step(context, moment, resume);
        }
        match self.candidates(context, moment) {
            Ok(candidates) => {
                context.room = Some(Room::new(context.room_id.clone(), self.rules));
                let mut append = Append::of(candidates, Vec::new());
                let progress = append.step(context, moment, resume);
                self.append = Some(append);
                progress
            }
            Err(failure) => refuse(self.ticket, failure).step(context, moment, resume),
        }
    }
}

impl Create {
    fn candidates(&self, context: &mut Context, moment: Moment) -> Result<Vec<Candidate>, Failure> {
        let contents = self.contents()?;
        let last = contents.len().saturating_sub(1);
        let mut candidates = Vec::with_capacity(contents.len());
        for (index, (kind, state_key, content)) in contents.into_iter().enumerate() {
            let (sender, kind, state_key) = (self.wish.creator.clone(), kind.into(), Some(state_key));
            let stamp = context.stamp(moment.now);
            let wish = draft::Wish { sender, kind, state_key, content };
            let draft = PduDraft::new(&wish.parts(context, stamp), self.rules).map_err(|error| malformed(&error))?;
            let reply = if index == last { ReplyTo::Created(self.ticket) } else { ReplyTo::Nobody };
            candidates.push(Candidate::new(Made::Own(draft), reply));
        }
        Ok(candidates)
    }

    /// The first events in order: type, state key, content.
    fn contents(&self) -> Result<Vec<(&'static str, String, Document)>, Failure> {
        let creator = self.wish.creator.as_str();
        let join_rule = if self.wish.public { "public" } else { "invite" };
        let mut contents = alloc::vec![
            (kind::CREATE, String::new(), self.create_content()?),
            (kind::MEMBER, creator.into(), self.member.clone()),
            (kind::POWER_LEVELS, String::new(), power_levels(creator)?),
            (kind::JOIN_RULES, String::new(), object(|content| content.string("join_rule", join_rule))?),
            (
                kind::HISTORY_VISIBILITY,
                String::new(),
                object(|content| content.string("history_visibility", "shared"))?
            ),
        ];
        if let Some(name) = &self.wish.name {
            contents.push(("m.room.name", String::new(), object(|content| content.string("name", name))?));
        }
        Ok(contents)
    }

    /// What the wish adds to the create event, and the room's version.
    fn create_content(&self) -> Result<Document, Failure> {
        let version = self.rules.id;
        let Some(extra) = &self.wish.create_content else {
            return object(|content| content.string("room_version", version));
        };
        if extra.root().member("room_version").is_some() {
            let error = "the content of create takes its room_version from the version asked for; leave it out";
            return Err(Failure::new(400, ErrorCode::BadJson, error));
        }
        let mut text = alloc::format!(r#"{{"room_version":"{version}""#).into_bytes();
        for member in extra.root().members() {
            text.push(b',');
            crate::json::write_string(&mut text, &member.key());
            text.push(b':');
            text.extend_from_slice(member.value().bytes());
        }
        text.push(b'}');
        let limits = crate::json::Limits { bytes: crate::event::MAX_PDU_BYTES, depth: crate::event::MAX_DEPTH };
        crate::json::parse(&text, self.rules.key_order, limits)
            .map_err(|error| Failure::new(400, ErrorCode::BadJson, alloc::format!("create_content: {error}")))
    }
}

/// The creator may all, others talk and invite; what changes the room's nature asks for the creator's level.
fn power_levels(creator: &str) -> Result<Document, Failure> {
    object(|content| {
        content.int("ban", 50);
        content.object("events", |events| {
            for kind in ["m.room.encryption", kind::HISTORY_VISIBILITY, kind::HUB, kind::POWER_LEVELS, kind::SERVER_ACL]
            {
                events.int(kind, 100);
            }
        });
        content.int("events_default", 0);
        content.int("invite", 0);
        content.int("kick", 50);
        content.int("redact", 50);
        content.int("state_default", 50);
        content.object("users", |users| users.int(creator, 100));
        content.int("users_default", 0);
    })
}

fn check(context: &Context, wish: &Wish) -> Result<&'static RoomVersionRules, Failure> {
    if context.room.is_some() {
        return Err(Failure::new(400, ErrorCode::BadState, "a room of this ID exists; make one with another ID"));
    }
    let ours = context.identity.name().as_str();
    if wish.creator.server() != ours || context.room_id.server() != ours {
        return Err(Failure::new(
            403,
            ErrorCode::Forbidden,
            "a room is made under its creator's server's name, which must be ours",
        ));
    }
    let error = "this server makes rooms of I.1 and org.matrix.i-d.ralston-mimi-linearized-matrix.02";
    rules(&wish.version)
        .filter(|rules| rules.format.linking == Linking::Linear)
        .ok_or_else(|| Failure::new(400, ErrorCode::IncompatibleRoomVersion, error))
}
