//! Typing, receipts and ephemeral data: from a user to the hub, from the hub to every server with a joined user, never into a store (spec, section 11).
//!
//! A server speaks for its own joined users only, the hub for everybody's but ours. What is passed on is written anew: nothing but what was read travels.

mod said;

use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;

use self::said::Said;
use super::{
    context::{Context, refuse, settled},
    draft::object,
    work::Work,
};
use crate::{
    id::{ServerName, Timestamp, UserId},
    json::Document,
    ordered::Map,
    room::membership::Membership,
    server::{
        allowance::{Allowance, Rate, limited},
        contract::{Output, Ticket},
        message::{Answer, Ephemeral, ErrorCode, Failure, MAX_EPHEMERAL, Notification},
    },
};

/// What one user may say in one room: thirty a second for ever, which is smooth movement in a shared scene, and four seconds of it at once.
const PACE: Rate = Rate { unit: Duration::from_millis(33), most: 120 };

/// The kind of data by which a hub says to a server that it may become the hub.
const HUB_OFFER: &str = "hublet.hub_offer";

/// More users than this are looked through for those who have been quiet.
const MANY: usize = 1_000;

/// How much each user has said lately; in memory only.
#[derive(Debug, Default)]
pub(super) struct Paces {
    users: Map<UserId, Allowance>,
}

impl Paces {
    fn take(&mut self, now: Timestamp, user: &UserId) -> Result<(), Duration> {
        if self.users.len() >= MANY {
            self.users.retain(|_, allowance| allowance.look(now, PACE.most).is_err());
        }
        let allowance = self.users.entry(user.clone()).or_insert(Allowance::new(PACE));
        allowance.look(now, 1)?;
        allowance.spend(now, 1);
        Ok(())
    }
}

/// A local user says something.
pub(super) fn send(context: &mut Context, ticket: Ticket, sender: UserId, what: Ephemeral) -> Box<dyn Work> {
    match said(context, sender, what) {
        Ok(edu) => {
            let ours = context.identity.name().clone();
            match context.is_hub() {
                true => context.pass_on(&edu, &ours),
                false => {
                    let hub = context.hub().cloned();
                    context.fleeting.extend(hub.map(|hub| (hub, edu.clone())));
                }
            }
            settled(vec![tell(context, edu), Output::Respond(ticket, Answer::Done)])
        }
        Err(failure) => refuse(ticket, failure),
    }
}

fn said(context: &mut Context, sender: UserId, what: Ephemeral) -> Result<Document, Failure> {
    context.rules_for(&sender)?;
    if !context.is_joined(&sender) {
        return Err(Failure::new(403, ErrorCode::Forbidden, "the sender is not joined to the room"));
    }
    let said = match what {
        Ephemeral::Typing(typing) => Said::Typing { user: sender.clone(), typing },
        Ephemeral::Read(event_id) => Said::read(&sender, event_id, context.now)?,
        Ephemeral::Data { kind, data } => Said::Data { sender: sender.clone(), kind, data },
    };
    let edu = said.write(&context.room_id)?;
    if edu.bytes().len() > MAX_EPHEMERAL {
        let error = alloc::format!("what is not kept must be at most {MAX_EPHEMERAL} bytes");
        return Err(Failure::of(ErrorCode::TooLarge, error));
    }
    let paced = context.paces.take(context.now, &sender);
    paced.map_err(|wait| limited(wait, "this user says too much at once; wait"))?;
    Ok(edu)
}

/// Takes what another server sent: as the hub from a server in the room, elsewhere from the hub only.
pub(super) fn receive(context: &mut Context, ticket: Ticket, origin: &ServerName, edus: &[Document]) -> Box<dyn Work> {
    let mut outputs = Vec::new();
    let may_speak = match context.is_hub() {
        true => context.is_in_room(origin) && context.admits(origin),
        false => context.are_in_room() && context.hub() == Some(origin),
    };
    for edu in edus.iter().filter(|_| may_speak) {
        let said = Said::parse(edu, &context.room_id).and_then(|said| said.of(|user| context.may_say(origin, user)));
        let Some(Ok(edu)) = said.map(|said| said.write(&context.room_id)) else { continue };
        if context.is_hub() {
            context.pass_on(&edu, origin);
        }
        outputs.push(tell(context, edu));
    }
    outputs.push(Output::Respond(ticket, Answer::Done));
    settled(outputs)
}

/// Lets the server that may take the room over know that it may, if it can be reached: its users need not be asked by other means. A user of ours says so, since
/// data is taken from users only.
pub(super) fn offer_hub(context: &mut Context, to: &ServerName) {
    let Some(room) = &context.room else { return };
    let mut joined = room.state.members().filter(|(_, membership)| *membership == Membership::Join);
    let ours = context.identity.name().as_str();
    let sender = joined.find_map(|(user, _)| UserId::parse(user).ok().filter(|user| user.server() == ours));
    let data = object(|data| data.string("server", to.as_str()));
    if let (Some(sender), Ok(data)) = (sender, data) {
        let edu = Said::Data { sender, kind: HUB_OFFER.into(), data }.write(&context.room_id);
        context.fleeting.extend(edu.ok().map(|edu| (to.clone(), edu)));
    }
}

fn tell(context: &Context, edu: Document) -> Output {
    Output::Notify(Notification::Ephemeral { room_id: context.room_id.clone(), edu })
}

impl Context {
    fn is_joined(&self, user: &UserId) -> bool {
        self.room.as_ref().is_some_and(|room| room.state.membership(user) == Membership::Join)
    }

    /// Whether `origin` may pass on what `user` says. A user who says too much is not heard for a while.
    fn may_say(&mut self, origin: &ServerName, user: &UserId) -> bool {
        if !self.is_joined(user) {
            return false;
        }
        match self.is_hub() {
            true => user.server() == origin.as_str() && self.paces.take(self.now, user).is_ok(),
            // The hub counts; nobody but us speaks for our own users.
            false => user.server() != self.identity.name().as_str(),
        }
    }

    /// As the hub: sends it to every server in the room but ours and the one that it came from.
    fn pass_on(&mut self, edu: &Document, origin: &ServerName) {
        let Some(room) = &self.room else { return };
        let ours = self.identity.name();
        let others = room.state.joined_servers().map(|(server, _)| server);
        let others = others.filter(|server| *server != ours && *server != origin);
        self.fleeting.extend(others.map(|server| (server.clone(), edu.clone())));
    }
}
