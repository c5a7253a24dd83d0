//! make_join, make_leave, make_knock: what a member event must look like, if the rules allow it (spec, section 7).

use alloc::{boxed::Box, string::String, vec, vec::Vec};

use super::{
    candidate::respond,
    context::{Context, not_found},
    draft::{Wish, malformed, object},
    hub::{denied_by_acl, wrong_server},
    work::{Progress, Resume, Work},
};
use crate::{
    event::PduDraft,
    id::{ServerName, UserId},
    json::write_object,
    room::{auth, kind, membership::Membership},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure},
    },
};

/// Answers make_join, make_leave or make_knock.
pub(super) fn work(
    ticket: Ticket,
    origin: ServerName,
    user: UserId,
    membership: Membership,
    versions: Vec<String>,
) -> Box<dyn Work> {
    Box::new(Template { ticket, origin, user, membership, versions })
}

struct Template {
    ticket: Ticket,
    origin: ServerName,
    user: UserId,
    membership: Membership,
    versions: Vec<String>,
}

impl Work for Template {
    fn step(&mut self, context: &mut Context, moment: Moment, _: Resume) -> Progress {
        Progress::Done(vec![match self.body(context, moment) {
            Ok(body) => respond(self.ticket, body),
            Err(failure) => Output::Respond(self.ticket, Answer::Refused(failure)),
        }])
    }
}

impl Template {
    fn body(&self, context: &mut Context, moment: Moment) -> Result<Vec<u8>, Failure> {
        let rules = context.room.as_ref().map(|room| room.rules()).ok_or_else(not_found)?;
        if !context.is_hub() {
            return Err(wrong_server(context));
        }
        if !context.admits(&self.origin) {
            return Err(denied_by_acl());
        }
        if self.user.server() != self.origin.as_str() {
            return Err(Failure::new(403, ErrorCode::Forbidden, "the user is no user of your server"));
        }
        if self.membership != Membership::Leave && !self.versions.iter().any(|version| version == rules.id) {
            let error = alloc::format!("the room's version is {}; `ver` does not name it", rules.id);
            return Err(Failure::new(400, ErrorCode::IncompatibleRoomVersion, error));
        }
        let content = object(|content| content.string("membership", self.membership.as_str()))?;
        let (sender, state_key) = (self.user.clone(), Some(self.user.as_str().into()));
        let wish = Wish { sender, kind: kind::MEMBER.into(), state_key, content };
        let stamp = context.stamp(moment.now);
        let draft = PduDraft::new(&wish.parts(context, stamp), rules).map_err(|error| malformed(&error))?;
        let room = context.room.as_ref().ok_or_else(not_found)?;
        let head = room.head.ok_or_else(not_found)?;
        auth::check(draft.event(), &[head.event_id], &room.state)
            .map_err(|rule| Failure::new(403, ErrorCode::Forbidden, alloc::format!("{rule}")))?;
        let mut body = Vec::new();
        write_object(&mut body, |body| {
            body.object("event", |event| {
                event.object("content", |content| content.string("membership", self.membership.as_str()));
                event.string("hub_server", context.identity.name().as_str());
                event.int("origin_server_ts", i64::try_from(stamp.millis()).unwrap_or(i64::MAX));
                event.string("room_id", context.room_id.as_str());
                event.string("sender", self.user.as_str());
                event.string("state_key", self.user.as_str());
                event.string("type", kind::MEMBER);
            });
            body.string("room_version", rules.id);
        });
        Ok(body)
    }
}
