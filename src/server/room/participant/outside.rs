//! Events of a room that we are not in: nothing but a member event of a local user counts, which may end an invite or a knock (spec, section 7).

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};

use crate::{
    event::{LINEARIZED_02, UnverifiedPdu, received_id},
    id::{ServerName, UserId},
    json::Document,
    room::kind,
    server::{
        contract::{Address, Moment, Output, Ticket},
        message::{AccountCall, Answer, Call, Outcome, ServerKeys},
        room::{
            context::{Context, not_found},
            remote::KEY_TIME,
            work::{Progress, Resume, Work},
        },
    },
};

/// Takes the events of a transaction.
pub(super) fn receive(
    context: &Context,
    ticket: Ticket,
    origin: ServerName,
    keys: ServerKeys,
    events: Vec<Document>,
) -> Box<dyn Work> {
    let rules = context.room.as_ref().map_or(&LINEARIZED_02, |room| room.rules());
    let mut outcomes = Vec::with_capacity(events.len());
    let mut members = VecDeque::new();
    for event in events {
        let id = received_id(&event, rules);
        let user = UnverifiedPdu::parse(event.clone(), rules).ok().and_then(|pdu| local_member(context, &pdu));
        members.extend(user.map(|user| (outcomes.len(), user, event)));
        outcomes.push(Outcome { id, failure: Some(not_found()) });
    }
    Box::new(Outside { ticket, origin, keys, members, outcomes })
}

/// The local user whose membership an event sets.
fn local_member(context: &Context, pdu: &UnverifiedPdu) -> Option<UserId> {
    let user = pdu.event().state_key().filter(|_| pdu.event().kind() == kind::MEMBER)?;
    UserId::parse(user).ok().filter(|user| user.server() == context.identity.name().as_str())
}

struct Outside {
    ticket: Ticket,
    origin: ServerName,
    keys: ServerKeys,
    /// Member events that the account of their user is to be asked about; the first one is being asked about.
    members: VecDeque<(usize, UserId, Document)>,
    outcomes: Vec<Outcome>,
}

impl Work for Outside {
    fn step(&mut self, _: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if !matches!(resume, Resume::Start)
            && let Some((index, ..)) = self.members.pop_front()
            && let Resume::Answer(Answer::Outcomes(answered)) = resume
            && let (Some(outcome), [answered]) = (self.outcomes.get_mut(index), answered.as_slice())
        {
            *outcome = answered.clone();
        }
        let Some((_, user, event)) = self.members.front() else {
            let outcomes = core::mem::take(&mut self.outcomes);
            return Progress::Done(vec![Output::Respond(self.ticket, Answer::Outcomes(outcomes))]);
        };
        let (origin, keys, event) = (self.origin.clone(), self.keys.clone(), event.clone());
        let call = Call::Account(AccountCall::EndInvite { origin, keys, event });
        Progress::Ask(Address::Account(user.clone()), call, moment.now.saturating_add(KEY_TIME))
    }
}
