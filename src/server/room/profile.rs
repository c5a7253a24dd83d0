//! What a member event says of its user beside the membership: the name and the picture that the user's account has.

use alloc::{boxed::Box, string::String, vec};

use super::{
    context::Context,
    draft::object,
    remote::KEY_TIME,
    work::{Progress, Resume, Work},
};
use crate::{
    id::UserId,
    json::{Document, KeyOrder, Limits, parse},
    room::membership::Membership,
    server::{
        contract::{Address, Moment, Output, Ticket},
        endpoint::ProfileField,
        message::{AccountCall, Answer, Call, Response},
    },
};

/// A field of a profile that is longer, in bytes, stays out of member events: these are copied into every room and every answer to a join.
const LONGEST: usize = 1_024;

/// Goes on with the content of the member event.
type Then = Box<dyn FnOnce(&mut Context, Document) -> Box<dyn Work>>;

/// Asks the account of a local user for its profile; without one in time the event does without.
pub(super) fn ask(ticket: Ticket, user: UserId, membership: Membership, then: Then) -> Box<dyn Work> {
    Box::new(Ask { ticket, user, membership, then: Some(then), next: None })
}

struct Ask {
    ticket: Ticket,
    user: UserId,
    membership: Membership,
    then: Option<Then>,
    /// What goes on, once it is known.
    next: Option<Box<dyn Work>>,
}

impl Work for Ask {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if let Some(next) = &mut self.next {
            return next.step(context, moment, resume);
        }
        let profile = match resume {
            Resume::Start => {
                let (to, call) = (Address::Account(self.user.clone()), AccountCall::Profile(None));
                return Progress::Ask(to, Call::Account(call), moment.now.saturating_add(KEY_TIME));
            }
            Resume::Answer(Answer::Response(Response { status: 200, body })) => {
                parse(&body, KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 8 }).ok()
            }
            _ => None,
        };
        let field = |field: ProfileField| {
            let text = profile.as_ref()?.root().member(field.text())?.as_str()?.into_owned();
            (text.len() <= LONGEST).then_some(text)
        };
        let (avatar, name) = (field(ProfileField::AvatarUrl), field(ProfileField::DisplayName));
        match (content(self.membership, avatar.as_ref(), name.as_ref()), self.then.take()) {
            (Ok(content), Some(then)) => self.next.insert(then(context, content)).step(context, moment, Resume::Start),
            (Err(failure), _) => Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]),
            (Ok(_), None) => Progress::Done(vec![]),
        }
    }
}

/// The content of a member event.
pub(in crate::server) fn content(
    membership: Membership,
    avatar_url: Option<&String>,
    displayname: Option<&String>,
) -> Result<Document, crate::server::message::Failure> {
    let fields = [(ProfileField::AvatarUrl, avatar_url), (ProfileField::DisplayName, displayname)];
    object(|content| {
        for (field, text) in fields {
            if let Some(text) = text.filter(|text| text.len() <= LONGEST) {
                content.string(field.text(), text);
            }
        }
        content.string("membership", membership.as_str());
    })
}
