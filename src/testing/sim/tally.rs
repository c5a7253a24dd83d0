//! What happened in a run, or in many.

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events in the hubs' logs.
    pub appended: u64,
    /// Calls of users that were refused, at home or by a hub.
    pub refused: u64,
    /// Machines that were dropped, alone or with their whole server.
    pub restarts: u64,
    /// Hub transfers in the hubs' logs.
    pub transfers: u64,
    /// Redactions that took effect.
    pub redacted: u64,
    /// Joins that were made again, because the first answer never came.
    pub joins_again: u64,
    /// Joins that followed an absence.
    pub returns: u64,
    /// Events that a hub took and that were told to be lost.
    pub not_sent: u64,
    /// Packets that were lost, late or doubled.
    pub troubles: u64,
    /// Reads that were denied, or answered without content.
    pub denied: u64,
    /// Forged, replayed and malformed things that were sent.
    pub attacks: u64,
    /// Forks that were reported with both events.
    pub forks: u64,
    /// Events that were kept as links only.
    pub rejected: u64,
    /// Holes that were left where a hub served nothing.
    pub holes: u64,
}

impl Tally {
    /// Adds what happened elsewhere.
    pub fn add(&mut self, other: &Self) {
        let Self {
            appended,
            refused,
            restarts,
            transfers,
            redacted,
            joins_again,
            returns,
            not_sent,
            troubles,
            denied,
            attacks,
            forks,
            rejected,
            holes,
        } = other;
        self.appended += appended;
        self.refused += refused;
        self.restarts += restarts;
        self.transfers += transfers;
        self.redacted += redacted;
        self.joins_again += joins_again;
        self.returns += returns;
        self.not_sent += not_sent;
        self.troubles += troubles;
        self.denied += denied;
        self.attacks += attacks;
        self.forks += forks;
        self.rejected += rejected;
        self.holes += holes;
    }
}
