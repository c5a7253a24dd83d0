//! What the accounts of local users are told of the room.

use alloc::{boxed::Box, vec::Vec};

use super::{
    context::Context,
    remote::KEY_TIME,
    work::{Progress, Resume, Work},
};
use crate::{
    id::{ServerName, UserId},
    room::membership::Membership,
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
