//! What becomes of packets.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::villain::Villain;
use crate::{
    id::ServerName,
    testing::{Dice, Fate, Packet, Way},
};

/// The longest that a packet may be late, in milliseconds.
const LATEST: u64 = 20_000;

/// The network's condition. Everything is in percent.
pub(super) struct Weather {
    dice: Dice,
    /// Packets that are lost.
    pub(super) loss: u64,
    /// Packets that are late, each by a time of its own, so that they change their order.
    pub(super) late: u64,
    /// Requests that arrive twice.
    pub(super) twice: u64,
    /// Requests for keys that are lost.
    pub(super) keyless: u64,
    /// Servers that nobody reaches.
    pub(super) cut_off: BTreeSet<ServerName>,
    /// What hostile servers do to packets, if there are any.
    pub(super) villain: Option<Villain>,
    /// How many packets met with trouble.
    pub(super) troubles: u64,
}

impl Weather {
    /// Some seeds have a good day, some a bad one.
    pub(super) fn new(seed: u64, villain: Option<Villain>) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut one_of = |all: &[u64]| *dice.pick(all);
        let (loss, late) = (one_of(&[0, 5, 15, 30]), one_of(&[0, 10, 30, 60]));
        let (twice, keyless) = (one_of(&[0, 5, 20]), one_of(&[0, 0, 50, 100]));
        Self { dice, loss, late, twice, keyless, cut_off: BTreeSet::new(), villain, troubles: 0 }
    }

    /// From now on every packet arrives at once, and as it was sent.
    pub(super) fn clear(&mut self) {
        self.villain.iter_mut().for_each(Villain::repent);
        (self.loss, self.late, self.twice, self.keyless) = (0, 0, 0, 0);
        self.cut_off.clear();
    }

    /// A server is cut off, or, if one is, all are reached again.
    pub(super) fn cut_or_mend(&mut self, name: &ServerName) {
        if self.cut_off.is_empty() {
            self.cut_off.insert(name.clone());
        } else {
            self.cut_off.clear();
        }
    }

    /// What becomes of a packet.
    pub(super) fn fate(&mut self, packet: &mut Packet) -> Fate {
        if let Some(fate) = self.villain.as_mut().and_then(|villain| villain.touch(packet)) {
            return fate;
        }
        let fate = self.roll(packet);
        self.troubles += u64::from(fate != Fate::Pass);
        fate
    }

    fn roll(&mut self, packet: &Packet) -> Fate {
        let is_cut = self.cut_off.contains(&packet.from) || self.cut_off.contains(&packet.to);
        let is_for_keys = packet.request.target.starts_with("/_matrix/key/") && matches!(packet.way, Way::Request);
        if is_cut || self.dice.falls(self.loss) || (is_for_keys && self.dice.falls(self.keyless)) {
            return Fate::Lose;
        }
        if self.dice.falls(self.late) {
            return Fate::Late(Duration::from_millis(self.dice.roll(LATEST)));
        }
        if self.dice.falls(self.twice) { Fate::Twice } else { Fate::Pass }
    }
}
