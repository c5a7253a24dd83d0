//! An invite of ours to a user of a server outside the room, elsewhere than at the hub: the hub is asked at its invite endpoint, and asks that server in its
//! turn (spec, section 7). The room goes on meanwhile. A hub that does not take it there gets it as any other event.

use alloc::{boxed::Box, vec};
use core::time::Duration;

use super::{
    context::{Context, not_found},
    local,
    remote::{self, Reply, fetch},
    work::{Progress, Resume, Work},
};
use crate::{
    event::{MAX_DEPTH, MAX_PDU_BYTES, SignedLpdu},
    json::{Limits, parse, write_object},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, Failure},
        paths::PFX,
    },
};

/// How long the hub may take: it gives the invited server ten seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Asks the hub.
pub(super) fn work(ticket: Ticket, lpdu: SignedLpdu) -> Box<dyn Work> {
    Box::new(SubmitInvite { ticket, lpdu: Some(lpdu) })
}

/// Does not write.
struct SubmitInvite {
    ticket: Ticket,
    lpdu: Option<SignedLpdu>,
}

impl Work for SubmitInvite {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let progress = match resume {
            Resume::Start => self.ask(context, moment),
            resume => self.answered(context, resume),
        };
        progress.unwrap_or_else(|failure| Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]))
    }
}

impl SubmitInvite {
    fn ask(&self, context: &Context, moment: Moment) -> Result<Progress, Failure> {
        let (Some(lpdu), Some(hub), Some(room)) = (&self.lpdu, context.hub(), &context.room) else {
            return Err(not_found());
        };
        let mut body = alloc::vec::Vec::new();
        write_object(&mut body, |body| {
            body.raw("event", lpdu.bytes());
            body.string("room_version", room.rules().id);
        });
        let limits = Limits { bytes: MAX_PDU_BYTES.saturating_mul(2), depth: MAX_DEPTH.saturating_add(1) };
        let body = parse(&body, room.rules().key_order, limits).map_err(|_| not_found())?;
        // The LPDU's ID names the transaction: asked again, the same invite gets the same answer.
        let id = alloc::format!("{}", lpdu.lpdu_id());
        let target = alloc::format!("{PFX}/invite/{}", id.trim_start_matches('$'));
        Ok(fetch(hub, http::Method::POST, target, Some(body), moment.now.saturating_add(PATIENCE)))
    }

    fn answered(&mut self, context: &Context, resume: Resume) -> Result<Progress, Failure> {
        let (Some(lpdu), Some(hub)) = (self.lpdu.take(), context.hub()) else { return Err(not_found()) };
        match remote::reply(resume, hub, MAX_ANSWER) {
            // The event itself comes as all events do.
            Reply::Body(_) => {
                let answer = Answer::Accepted(lpdu.lpdu_id());
                Ok(Progress::Done(vec![Output::Respond(self.ticket, answer)]))
            }
            // The endpoint is not there, or not for this; or nobody knows what came of it, and our own hub knows the LPDU if it took it.
            Reply::Refused(failure) if !matches!(failure.status, 400 | 404 | 405) => Err(failure),
            Reply::Refused(_) | Reply::Silent(_) => Ok(Progress::Write(local::keep(self.ticket, lpdu))),
        }
    }
}
