//! What a hostile server does to packets: it shows different servers different logs, withholds, reorders, alters, and answers garbage.

use alloc::{
    collections::{BTreeSet, VecDeque},
    format,
};

use crate::{
    id::ServerName,
    server::{Request, Response, SendError},
    testing::{
        Dice, Fate, Packet, Way,
        request::{self, nested},
        server,
    },
};

/// The hostile hub.
pub(super) const HUB: &str = "hub.example";

/// The name on the wire of a second server with the hub's identity. It goes on from where the hub was when it was made, with other events.
pub(super) const TWIN: &str = "twin.example";

/// The hostile participant.
pub(super) const PEER: &str = "d.example";

/// How many requests are kept to be sent again.
const MEMORY: usize = 60;

/// Hostile servers, as the network sees them.
pub(super) struct Villain {
    dice: Dice,
    /// Transactions that the hub alters, in percent.
    pub(super) alters: u64,
    /// Answers that are garbage, in percent.
    pub(super) garbage: u64,
    /// Servers that see the twin where the others see the hub.
    pub(super) with_twin: BTreeSet<ServerName>,
    /// Transactions that passed by, the newest last.
    pub(super) heard: VecDeque<Request>,
    pub(super) attacks: u64,
}

impl Villain {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 3);
        let (alters, garbage) = (*dice.pick(&[0, 10, 30]), *dice.pick(&[0, 5, 20]));
        let (with_twin, heard) = (BTreeSet::new(), VecDeque::new());
        Self { dice, alters, garbage, with_twin, heard, attacks: 0 }
    }

    /// From now on everybody sees the hub, and the hub does what a hub does.
    pub(super) fn repent(&mut self) {
        (self.alters, self.garbage) = (0, 0);
        self.with_twin.clear();
    }

    /// Touches a packet. What becomes of it, if that is the villain's to say.
    pub(super) fn touch(&mut self, packet: &mut Packet) -> Option<Fate> {
        let is_bad = |name: &ServerName| [HUB, TWIN, PEER].contains(&name.as_str());
        if matches!(packet.way, Way::Answer(_)) {
            if is_bad(&packet.from) && self.dice.falls(self.garbage) {
                packet.way = Way::Answer(self.nonsense());
                self.attacks += 1;
            }
            return None;
        }
        if packet.to.as_str() == HUB && self.with_twin.contains(&packet.from) {
            packet.to = server(TWIN);
        }
        let is_shown = match packet.from.as_str() {
            HUB => !self.with_twin.contains(&packet.to),
            TWIN => self.with_twin.contains(&packet.to),
            _ => true,
        };
        if !is_shown {
            return Some(Fate::Lose);
        }
        if packet.request.target.contains("/send/") && (is_bad(&packet.from) || is_bad(&packet.to)) {
            self.heard.push_back(packet.request.clone());
            if self.heard.len() > MEMORY {
                self.heard.pop_front();
            }
            if packet.from.as_str() != PEER && is_bad(&packet.from) && self.dice.falls(self.alters) {
                self.alter(packet);
                self.attacks += 1;
            }
        }
        None
    }

    /// Changes a transaction of the hub, and signs it anew.
    fn alter(&mut self, packet: &mut Packet) {
        let mut pdus = request::pdus_of(&packet.request.body);
        let at = usize::try_from(self.dice.roll(u64::try_from(pdus.len().max(1)).unwrap())).unwrap();
        match self.dice.roll(6) {
            _ if pdus.is_empty() => {}
            0 => drop(pdus.remove(at)),
            1 => pdus.clear(),
            2 => pdus.reverse(),
            3 => pdus.push(pdus[at].clone()),
            4 => pdus[at] = pdus[at].replace("hello", "hullo"),
            _ => pdus[at] = pdus[at].replacen(r#""sig"#, r#""xig"#, 1),
        }
        let body = format!(r#"{{"edus":[],"pdus":[{}]}}"#, pdus.join(","));
        packet.request = request::signed(HUB, packet.to.as_str(), "PUT", &packet.request.target, &body);
    }

    fn nonsense(&mut self) -> Result<Response, SendError> {
        let (status, body) = match self.dice.roll(12) {
            0 => (200, "{".into()),
            1 => (200, "[]".into()),
            2 => (200, "{}".into()),
            3 => (200, r#"{"pdus":[{},7,{"type":1}],"state":[],"event":{}}"#.into()),
            4 => (200, nested(100_000)),
            5 => (500, "<html>".into()),
            6 => (429, r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1e300}"#.into()),
            7 => (400, r#"{"errcode":"M_WRONG_SERVER","hub_server":"nowhere.example"}"#.into()),
            8 => (200, r#"{"failed_pdus":{"$x":1,"":{}},"pdus":null}"#.into()),
            9 => (302, "\u{0}\u{7f}".into()),
            10 => return Err(SendError::TooLarge),
            _ => return Err(SendError::TimedOut),
        };
        Ok(Response { status, body: body.into_bytes() })
    }
}
