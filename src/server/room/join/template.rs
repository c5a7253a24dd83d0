//! make_join, make_knock, make_leave: what is taken from a template, and the event made of it (spec, section 7).

use alloc::string::String;

use crate::{
    event::{I_1, LINEARIZED_02, Linking, LpduDraft, RoomVersionRules, rules},
    id::{RoomId, RoomVersionId, ServerName, Timestamp, UserId},
    json::Document,
    room::{kind, membership::Membership},
    server::{
        message::{ErrorCode, Failure},
        room::{
            context::Context,
            draft::{Wish, malformed},
            remote,
        },
        route::percent,
    },
};

/// The word of the endpoints for a membership.
pub(super) const fn word(membership: Membership) -> &'static str {
    match membership {
        Membership::Join => "join",
        Membership::Knock => "knock",
        _ => "leave",
    }
}

/// The path and query to ask for a template.
pub(super) fn target(room_id: &RoomId, user: &UserId, membership: Membership) -> String {
    let (room_id, user) = (percent::encode(room_id.as_str()), percent::encode(user.as_str()));
    let path = alloc::format!("/_matrix/federation/v1/make_{}/{room_id}/{user}", word(membership));
    match membership {
        Membership::Leave => path,
        _ => alloc::format!("{path}?ver={}&ver={}", percent::encode(LINEARIZED_02.id), percent::encode(I_1.id)),
    }
}

/// Why a template is not filled in.
pub(super) enum Unfit {
    /// It is for something else than was asked.
    Field(&'static str),
    /// We do not know the room's version.
    Version(String),
}

impl Unfit {
    pub(super) fn into_failure(self, server: &ServerName) -> Failure {
        match self {
            Self::Field(field) => remote::unusable(server, &alloc::format!("{field} is not what was asked for")),
            Self::Version(version) => {
                let error = alloc::format!("the room's version is {version}, which this server does not support");
                Failure::new(400, ErrorCode::IncompatibleRoomVersion, error)
            }
        }
    }
}

/// Checks that a template is the one that was asked for; what else is in it is ours to decide. The rules of the room's version.
pub(super) fn read(
    context: &Context,
    body: &Document,
    user: &UserId,
    membership: Membership,
) -> Result<&'static RoomVersionRules, Unfit> {
    let root = body.root();
    let event = root.member("event").unwrap_or(root);
    let text = |key| event.member(key).and_then(|value| value.as_str());
    let fields = [
        ("type", kind::MEMBER),
        ("room_id", context.room_id.as_str()),
        ("sender", user.as_str()),
        ("state_key", user.as_str()),
    ];
    for (field, expected) in fields {
        if text(field).as_deref() != Some(expected) {
            return Err(Unfit::Field(field));
        }
    }
    let content = event.member("content").and_then(|content| content.member("membership")?.as_str());
    if content.as_deref() != Some(membership.as_str()) {
        return Err(Unfit::Field("content.membership"));
    }
    let known = context.room.as_ref().map_or(&LINEARIZED_02, |room| room.rules());
    let Some(version) = root.member("room_version").and_then(|version| version.as_str()) else { return Ok(known) };
    let found = RoomVersionId::parse(&version).ok().and_then(|version| rules(&version));
    found.filter(|rules| rules.format.linking == Linking::Linear).ok_or_else(|| Unfit::Version(version.into_owned()))
}

/// The member event for the hub that gave the template.
pub(super) fn fill(
    context: &mut Context,
    user: &UserId,
    content: &Document,
    hub: &ServerName,
    rules: &'static RoomVersionRules,
    now: Timestamp,
) -> Result<LpduDraft, Failure> {
    let (sender, state_key, content) = (user.clone(), Some(user.as_str().into()), content.clone());
    let wish = Wish { sender, kind: kind::MEMBER.into(), state_key, content };
    let stamp = context.stamp(now);
    LpduDraft::new(&wish.parts(context, stamp), hub, rules).map_err(|error| malformed(&error))
}
