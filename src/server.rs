//! A server made of rooms, peers and accounts (spec, section 6).
//!
//! # The contract
//! 1. A machine is opened for an address: a room, a remote server (a peer) or a local user (an account). It knows no clock, no randomness, no network
//!    and no store; [`Moment`] brings time and random bytes with each input.
//! 2. The host calls `handle(moment, input)`, then `poll()` until it gives nothing. It carries out each [`Output`] in the order given, and hands what
//!    comes of it to the machine as an [`Input`] with the same [`Ticket`].
//! 3. [`Output::Commit`] is applied as a whole, durably, and then answered by [`Input::Committed`]. If it fails the host drops the machine, fails the
//!    calls it had open, and opens a new one from the store: a machine runs ahead of its store only while a commit is in flight.
//! 4. What depends on a commit (answers, sends, notifications) is put out after `Committed`: nothing leaves that is not durable.
//! 5. A machine has one commit in flight. What must wait for it waits inside the machine; the host never orders inputs.
//! 6. Calls between machines are [`Output::Ask`] and [`Input::Ask`]; each is answered once, by [`Output::Respond`] and [`Input::Answer`]. A host that
//!    cannot deliver one answers [`Answer::Unavailable`].
//! 7. [`Output::Wake`] asks for [`Input::Woken`] at or after a time; the latest one counts, an early or a missing one does no harm but delay.
//! 8. A machine is opened with its first ticket and counts up from there. A host gives each opening a range of its own, so that an answer meant for an
//!    earlier life of the same address is not taken for one of this life.
//! 9. Any machine without open tickets may be dropped at any time: what it must not lose is in its store. A machine that was lost in the middle of
//!    something is opened and given [`Input::Woken`], by a host that starts for each that has rows: then it goes on with what its rows owe.

pub mod account;
mod allowance;
pub mod contract;
mod desk;
pub mod endpoint;
mod error;
pub mod front;
pub mod host;
mod identity;
pub mod keys;
pub mod link;
mod message;
pub mod paths;
pub mod peer;
pub mod room;
pub mod route;
mod wire;
pub mod x_matrix;

pub use contract::{Address, Input, Machine, Moment, Output, Query, Ticket};
pub use identity::{Identity, Signer};
pub use message::{
    AccountCall, Answer, Call, Delivered, Ephemeral, ErrorCode, Failure, HistoryEntry, Keep, KeyNeeds, KnownKey,
    Notification, Outcome, OwedEvents, OwnCall, PeerCall, PendingInvite, Request, Response, RoomCall, RoomRead,
    SendError, ServerKeys, Shelf, Validity,
};
pub use route::Routes;
