//! What goes into a machine and what comes out of it. The contract itself stands in the module above.

use alloc::vec::Vec;
use core::fmt;

use super::message::{Answer, Call, KeyNeeds, Notification, Request, Response, SendError, ServerKeys};
pub use crate::store::Query;
use crate::{
    crypto::Signature,
    id::{RoomId, ServerName, Timestamp, UserId},
    store::{Row, WriteBatch},
};

/// Which machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A room: its log, whatever our part in it.
    Room(RoomId),
    /// A remote server: its keys, what it asked, what it is owed.
    Peer(ServerName),
    /// A local user.
    Account(UserId),
    /// What answers requests that need no peer.
    Front,
}

impl Address {
    /// The address that [`Address`] writes as this text; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "front" {
            return Some(Self::Front);
        }
        let (class, name) = text.split_once(':')?;
        match class {
            "room" => RoomId::parse(name).ok().map(Self::Room),
            "peer" => ServerName::parse(name).ok().map(Self::Peer),
            "account" => UserId::parse(name).ok().map(Self::Account),
            _ => None,
        }
    }
}

/// `room:!id:server`, `peer:server`, `account:@user:server` or `front`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(room) => write!(f, "room:{room}"),
            Self::Peer(server) => write!(f, "peer:{server}"),
            Self::Account(user) => write!(f, "account:{user}"),
            Self::Front => f.write_str("front"),
        }
    }
}

/// When an input arrives, and chance for what has to be spread or unguessable.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The host's clock.
    pub now: Timestamp,
    /// Fresh random bytes.
    pub random: [u8; 16],
}

/// Ties an input to the output that asked for it. Given out by whoever asks; means nothing to anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

impl Ticket {
    /// This ticket; counts up to the next one.
    pub(super) const fn take(&mut self) -> Self {
        let ticket = *self;
        self.0 = self.0.wrapping_add(1);
        ticket
    }
}

/// What the host hands to a machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Another machine or the host asks; to be answered once by [`Output::Respond`].
    Ask(Ticket, Call),
    /// The answer to [`Output::Ask`].
    Answer(Ticket, Answer),
    /// The rows of each query of [`Output::Read`], in the order of the queries.
    Rows(Ticket, Vec<Vec<Row>>),
    /// The batch of [`Output::Commit`] is durable.
    Committed(Ticket),
    /// The signatures that [`Output::Sign`] asked for, in its order; none at all where one could not be made.
    Signed(Ticket, Vec<Signature>),
    /// The keys that [`Output::NeedKeys`] asked for, as far as they could be had.
    Keys(Ticket, Vec<ServerKeys>),
    /// What came of [`Output::Send`].
    Sent(Ticket, Result<Response, SendError>),
    /// The time of [`Output::Wake`] has come.
    Woken,
}

/// What a machine wants done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Apply durably, all or nothing; answer with [`Input::Committed`].
    Commit(Ticket, WriteBatch),
    /// Read; answer with [`Input::Rows`].
    Read(Ticket, Vec<Query>),
    /// Sign each message with the server's key (only when it is not in the machine); answer with [`Input::Signed`].
    Sign(Ticket, Vec<Vec<u8>>),
    /// Get servers' keys, from the peer machine of each; answer with [`Input::Keys`].
    NeedKeys(Ticket, Vec<KeyNeeds>),
    /// Send an HTTP-shaped request to a server; answer with [`Input::Sent`].
    Send(Ticket, ServerName, Request),
    /// Ask another machine; answer with [`Input::Answer`].
    Ask(Ticket, Address, Call),
    /// The answer to [`Input::Ask`].
    Respond(Ticket, Answer),
    /// Tell the host and its local users; no answer.
    Notify(Notification),
    /// Give [`Input::Woken`] at or after this time.
    Wake(Timestamp),
    /// The machine is no longer what its store holds (a signature that it asked for did not come): drop it, as after a failed commit.
    Broken,
}

/// What a peer has not been sent, or has not answered yet, as far as its machine knows: more may lie in the rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Rooms that owe it events.
    pub rooms: usize,
    /// Events at hand.
    pub events: usize,
    /// EDUs.
    pub edus: usize,
}

/// What a host sees of a machine.
pub trait Machine {
    /// Takes one input.
    fn handle(&mut self, moment: Moment, input: Input);

    /// The next thing to do, if any.
    fn poll(&mut self) -> Option<Output>;

    /// Whether nothing is under way: the machine may be dropped and reopened from its store.
    fn is_idle(&self) -> bool;

    /// What waits to be sent; only a peer machine has such.
    fn backlog(&self) -> Backlog {
        Backlog::default()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::Address;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["room:!r:hub.example:8448", "peer:localhost:8787", "account:@ann:part.example", "front"] {
            assert_eq!(format!("{}", Address::parse(text).unwrap()), text);
        }
        for text in ["", "front:", "room:r", "peer:", "peer:no name", "account:ann", "other:x"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
