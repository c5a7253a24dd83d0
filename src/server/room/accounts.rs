//! What the accounts of local users are told of the room.

use alloc::{boxed::Box, vec::Vec};

use super::{
    context::Context,
    remote::KEY_TIME,
    work::{Progress, Resume, Work},
};
use crate::{
    event::Event,
    id::{ServerName, UserId},
    room::{kind, membership::Membership},
    server::{
        contract::{Address, Moment},
        message::{AccountCall, Call},
    },
};

/// Tells a local user's account that its membership changed. Begins once the change is durable.
pub(super) fn membership(
    context: &Context,
    user: UserId,
    membership: Membership,
    hub: Option<ServerName>,
) -> Box<dyn Work> {
    let room_id = context.room_id.clone();
    Box::new(Tell(Some((user, AccountCall::Membership { room_id, membership, hub }))))
}

/// Tells the account of the local user whose membership an event of the log sets, if it sets one's.
pub(super) fn of_event(context: &Context, event: &Event) -> Option<Box<dyn Work>> {
    let target = event.state_key().filter(|_| event.kind() == kind::MEMBER)?;
    let user = UserId::parse(target).ok().filter(|user| user.server() == context.identity.name().as_str())?;
    let set = Membership::from_content(event.content()).unwrap_or_default();
    Some(membership(context, user, set, context.hub().cloned()))
}

struct Tell(Option<(UserId, AccountCall)>);

impl Work for Tell {
    fn step(&mut self, _: &mut Context, moment: Moment, _: Resume) -> Progress {
        match self.0.take() {
            Some((user, call)) => {
                Progress::Ask(Address::Account(user), Call::Account(call), moment.now.saturating_add(KEY_TIME))
            }
            None => Progress::Done(Vec::new()),
        }
    }
}
