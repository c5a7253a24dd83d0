//! How much of our time a peer gets (spec, section 6: 429 `M_LIMIT_EXCEEDED`). In memory only: a peer that has been quiet for a while has its whole
//! allowance anyway.
//!
//! - What it asks for besides `send` costs units by the work that it makes: one for what is small, eleven for a whole backfill, fifty for a whole state. A
//!   hundred units a second are earned, and a hundred seconds' worth is kept: 196 joins in one go, or the backfill of 90,000 events; then two states or nine
//!   backfills a second, which is more than a server needs that heals, and no flood.
//! - `send` costs nothing. What a peer pays for is PDUs that are refused: a server that keeps to the rules has a handful when it and we see a room differently
//!   for a moment. Each costs us up to a few signature checks.
//! - Requests under its name that do not prove to be its own are anybody's. They cost their senders only this: under a key that we do not know they no longer
//!   wait for a look-up that others have asked for already. Nothing that a stranger does may lock the peer itself out, so a request under a key that we know is
//!   always checked, and a look-up that is due is always made.

use core::time::Duration;

use super::PeerMachine;
use crate::{
    id::Timestamp,
    room::membership::Membership,
    server::{
        allowance::{Allowance, Rate, limited},
        contract::Moment,
        endpoint::Endpoint,
        message::{Failure, RoomRead},
        x_matrix::Claim,
    },
};

/// What a peer may ask for.
const READS: Rate = Rate { unit: Duration::from_millis(10), most: 10_000 };

/// PDUs of a peer that may be refused.
const FAULTS: Rate = Rate { unit: Duration::from_millis(50), most: 5_000 };

/// Requests that may fail to prove where they come from.
const STRANGERS: Rate = Rate { unit: Duration::from_secs(1), most: 100 };

/// What a peer has left.
#[derive(Debug)]
pub(super) struct Limits {
    reads: Allowance,
    faults: Allowance,
    strangers: Allowance,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reads: Allowance::new(READS), faults: Allowance::new(FAULTS), strangers: Allowance::new(STRANGERS) }
    }
}

impl Limits {
    /// Pays for an authenticated request.
    pub(super) fn pay(&mut self, now: Timestamp, endpoint: &Endpoint) -> Result<(), Failure> {
        let units = match endpoint {
            Endpoint::Send { .. } => {
                let error = "too many events of this server were refused; wait, and send none that the rules forbid";
                return self.faults.look(now, 1).map_err(|wait| limited(wait, error));
            }
            endpoint => price(endpoint),
        };
        let error = "this server asks for too much; wait";
        self.reads.look(now, units).map_err(|wait| limited(wait, error))?;
        self.reads.spend(now, units);
        Ok(())
    }

    /// So many PDUs of a transaction were refused.
    pub(super) fn refused(&mut self, now: Timestamp, pdus: usize) {
        self.faults.spend(now, u32::try_from(pdus).unwrap_or(u32::MAX));
    }

    /// A request did not prove where it comes from.
    pub(super) fn unproved(&mut self, now: Timestamp) {
        self.strangers.spend(now, 1);
    }
}

impl PeerMachine {
    /// Refuses a request under a key that we do not know, if many before it were false and it would only wait for what is being looked up or was just now.
    pub(super) fn tire(&mut self, moment: Moment, claims: &[Claim]) -> Result<(), Failure> {
        let Err(wait) = self.limits.strangers.look(moment.now, 1) else { return Ok(()) };
        let is_known = |claim: &Claim| self.lookup.current(&claim.key, moment.now).is_some();
        if claims.iter().all(is_known) || self.lookup.may_ask(moment.now) {
            return Ok(());
        }
        Err(limited(wait, "too many requests in this server's name were not signed by it; wait"))
    }
}

/// What a request costs, in units.
fn price(endpoint: &Endpoint) -> u32 {
    match endpoint {
        // The whole state, and what authorises it.
        Endpoint::Read { read: RoomRead::State(_) | RoomRead::StateIds(_), .. }
        | Endpoint::SendMember { membership: Membership::Join, .. } => 50,
        Endpoint::Read { read: RoomRead::EventAuth(_), .. } => 10,
        Endpoint::Read { read: RoomRead::Backfill { limit, .. }, .. } => {
            (*limit).min(100).div_euclid(10).saturating_add(1)
        }
        // A query of many users and devices.
        Endpoint::ClaimKeys | Endpoint::QueryDeviceKeys => 10,
        // A signature to check, and rows to write.
        Endpoint::Invite { .. } | Endpoint::SendMember { .. } => 2,
        _ => 1,
    }
}
