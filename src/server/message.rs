//! What machines and their host say to each other.

mod account;
mod cause;
mod ephemeral;
mod notification;

use alloc::{boxed::Box, string::String, vec::Vec};

pub use account::{AccountCall, OwnCall, PendingInvite};
pub use cause::{Cause, Rung};
pub use ephemeral::Ephemeral;
pub(super) use ephemeral::MAX_EPHEMERAL;
pub use notification::Notification;

use crate::{
    id::{EventId, KeyId, RoomId, RoomVersionId, ServerName, Timestamp, UserId},
    json::Document,
    room::membership::Membership,
};

/// A request as HTTP shapes it, on whatever link it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: http::Method,
    /// The raw request target: path and query as sent.
    pub target: String,
    /// Names and values in order; names in any case.
    pub headers: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: Vec<u8>,
}

/// An answer as HTTP shapes it; always JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body: a JSON object.
    pub body: Vec<u8>,
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No connection.
    #[error("server could not be reached")]
    Unreachable,
    /// A connection, but no whole answer in time.
    #[error("server did not answer in time")]
    TimedOut,
    /// An answer larger than the host accepts.
    #[error("server's answer is too large")]
    TooLarge,
}

/// The error codes of Matrix that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The path or the method is none of ours.
    Unrecognized,
    /// The body is not JSON.
    NotJson,
    /// The body is JSON, but a field is missing or malformed.
    BadJson,
    /// A parameter is malformed.
    InvalidParam,
    /// Too large.
    TooLarge,
    /// Too many requests.
    LimitExceeded,
    /// Not there, or not for the caller.
    NotFound,
    /// Refused by the rules or by authentication.
    Forbidden,
    /// We are not the room's hub.
    WrongServer,
    /// The room's version is none that the caller supports.
    IncompatibleRoomVersion,
    /// Not now.
    BadState,
    /// Our fault.
    Unknown,
}

/// A refusal: what goes into an error answer or into `failed_pdus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status, where the refusal is of a whole request.
    pub status: u16,
    /// The code.
    pub code: ErrorCode,
    /// What was wrong, where, what to do.
    pub error: String,
    /// The room's hub, with [`ErrorCode::WrongServer`], as far as we know.
    pub hub_server: Option<ServerName>,
    /// The log's head, with [`ErrorCode::BadState`] for a hub transfer.
    pub head: Option<EventId>,
    /// When to come back, with [`ErrorCode::LimitExceeded`].
    pub retry_after_ms: Option<u64>,
    /// What an event did not pass. For the operator of the machine that refuses it: no answer carries it.
    pub cause: Option<Box<Cause>>,
}

impl Failure {
    /// A refusal with nothing but its words.
    pub fn new(status: u16, code: ErrorCode, error: impl Into<String>) -> Self {
        Self { status, code, error: error.into(), hub_server: None, head: None, retry_after_ms: None, cause: None }
    }

    /// The same, of an event that did not pass this.
    pub(super) fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }
}

/// A call to a machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Call {
    /// To a room.
    Room(RoomCall),
    /// To a peer.
    Peer(PeerCall),
    /// To a local user.
    Account(AccountCall),
    /// To the front: a request that no peer machine serves. Answered by [`Answer::Response`].
    Front(Box<Request>),
}

/// What a room is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RoomCall {
    /// Events of a transaction, in order, each a JSON object whose `room_id` is this room. Answered by [`Answer::Outcomes`] once all are durable.
    Receive {
        /// The server that sent them, authenticated.
        origin: ServerName,
        /// That server's keys.
        keys: ServerKeys,
        /// The events.
        events: Vec<Document>,
    },
    /// Something to read for a server. Answered by [`Answer::Response`].
    Read {
        /// The server that asks, authenticated.
        origin: ServerName,
        /// What.
        read: RoomRead,
    },
    /// make_join, make_leave, make_knock. Answered by [`Answer::Response`].
    Template {
        /// The server that asks, authenticated; the user's own.
        origin: ServerName,
        /// For whom.
        user: UserId,
        /// `join`, `leave` or `knock`.
        membership: Membership,
        /// The room versions that the caller supports; none given for a leave.
        versions: Vec<String>,
    },
    /// send_join, send_leave, send_knock: a member LPDU. Answered by [`Answer::Response`].
    SendMember {
        /// The server that sends, authenticated.
        origin: ServerName,
        /// That server's keys.
        keys: ServerKeys,
        /// `join`, `leave` or `knock`.
        membership: Membership,
        /// The LPDU.
        event: Document,
    },
    /// A participant's invite, to us as the hub. Answered by [`Answer::Response`].
    Invite {
        /// The server that sends, authenticated.
        origin: ServerName,
        /// That server's keys.
        keys: ServerKeys,
        /// The LPDU.
        event: Document,
    },
    /// A peer machine takes what the peer is owed. Answered by [`Answer::Owed`].
    Pull {
        /// The peer.
        peer: ServerName,
        /// What came of the events pulled before.
        delivered: Option<Delivered>,
    },
    /// A local user makes this room. Answered by [`Answer::Created`].
    Create {
        /// The creator.
        creator: UserId,
        /// Whether anybody may join; else by invite.
        public: bool,
        /// The room's name.
        name: Option<String>,
        /// The room's version.
        version: RoomVersionId,
        /// More members of the create event's content, such as `hublet.hub_transfer`.
        create_content: Option<Document>,
    },
    /// A local user sends an event. Answered by [`Answer::Accepted`] once it is durable here.
    SendEvent {
        /// The user.
        sender: UserId,
        /// The event's type.
        kind: String,
        /// The state key of a state event.
        state_key: Option<String>,
        /// The content, an object.
        content: Document,
    },
    /// A local user sends an event, once: asked again with the same transaction ID within a day, nothing is sent. Answered by [`Answer::Accepted`] with the ID that
    /// the first answer gave.
    SendOnce {
        /// The transaction ID, the client's own.
        txn: String,
        /// The user.
        sender: UserId,
        /// The event's type.
        kind: String,
        /// The state key of a state event.
        state_key: Option<String>,
        /// The content, an object.
        content: Document,
    },
    /// The current state, for local users and operators. Answered by [`Answer::Entries`], in the order of type and state key.
    State {
        /// Only of this type.
        kind: Option<String>,
        /// Only under this key.
        state_key: Option<String>,
    },
    /// What our users sent and the hub has not sent back: LPDUs in the order in which they were sent. Answered by [`Answer::Entries`].
    Pending,
    /// One entry of the log, by its event's ID or by that of the LPDU that it was made of. Answered by [`Answer::History`].
    Find {
        /// The ID.
        event_id: EventId,
    },
    /// A local user joins, knocks at, or leaves a room. Answered by [`Answer::Accepted`].
    Member {
        /// The user.
        user: UserId,
        /// `join`, `leave` or `knock`.
        membership: Membership,
        /// Servers to ask, first to last, when we are not in the room.
        via: Vec<ServerName>,
    },
    /// The operator consents that the room moves to another hub. Answered by [`Answer::Done`].
    Consent {
        /// The server that may become the hub.
        to: ServerName,
    },
    /// Typing, receipts and ephemeral data of this room, each an EDU as it came. Answered by [`Answer::Done`]; what is not the sender's to say is dropped.
    Ephemeral {
        /// The server that sent them, authenticated.
        origin: ServerName,
        /// The EDUs.
        edus: Vec<Document>,
    },
    /// A local user says something that is not worth keeping. Answered by [`Answer::Done`].
    SendEphemeral {
        /// The user.
        sender: UserId,
        /// What.
        what: Ephemeral,
    },
    /// The last entries before a position, for local users and operators; what is before our log is fetched from the hub and kept at negative positions. Answered
    /// by [`Answer::History`].
    History {
        /// The position behind the last entry. One below our log counts as the log's first.
        before: i64,
        /// At most so many; never more than 1,000.
        limit: u32,
    },
    /// The next lines of an exported log, each a PDU, oldest first; the room is there when the last of them is. A line that breaks a rule refuses them all, and
    /// names itself. Answered by [`Answer::Done`], the last page by [`Answer::Accepted`] with the log's last event.
    Restore {
        /// How many lines came before.
        from: u64,
        /// Whole lines, each ended by a line feed; the last one need not be.
        lines: Vec<u8>,
        /// Whether these are the last.
        end: bool,
    },
    /// The log for local users and operators. Answered by [`Answer::Entries`].
    Timeline {
        /// The first position.
        from: i64,
        /// At most so many.
        limit: u32,
    },
}

/// What a server may read of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomRead {
    /// One event.
    Event(EventId),
    /// The state before an event, whole.
    State(EventId),
    /// The state before an event, as IDs.
    StateIds(EventId),
    /// The transitive auth events of an event.
    EventAuth(EventId),
    /// Events up to and with one.
    Backfill {
        /// The last event.
        until: EventId,
        /// At most so many.
        limit: u32,
    },
}

/// What a peer machine is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeerCall {
    /// A request that says it comes from this peer. Answered by [`Answer::Response`].
    Serve(Box<Request>),
    /// Send a request to this peer, authenticated as us. Answered by [`Answer::Response`] or [`Answer::Unreachable`].
    Fetch {
        /// The method.
        method: http::Method,
        /// The target: path and query.
        target: String,
        /// The body, a JSON object.
        body: Option<Document>,
    },
    /// The peer is owed something by that room. Answered by [`Answer::Done`] at once.
    Nudge(RoomId),
    /// The same, of what a local user has just said: it is tried soon, however often the peer was not there before. Answered by [`Answer::Done`] at once.
    Said(RoomId),
    /// This server's keys: known ones, fetched if they do not suffice. Answered by [`Answer::Keys`].
    Keys(KeyNeeds),
    /// This server's key document, signed by us as notary too. Answered by [`Answer::Response`].
    Notarise {
        /// How long the keys should still hold; a document that holds shorter is fetched anew if it can be.
        minimum_valid_until: Timestamp,
    },
    /// The host has just got a link to this peer: what waits for the next attempt need wait no longer. Answered by [`Answer::Done`].
    Reached,
    /// An EDU for this peer. Answered by [`Answer::Done`]: a lasting one once it is durable, a fleeting one at once.
    Edu {
        /// The EDU, whole.
        edu: Document,
        /// Whether it outlives this machine.
        keep: Keep,
    },
}

/// How long what is to be sent is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Until it was taken: messages to devices, device lists.
    UntilTaken,
    /// In memory, and only while the peer can be reached: typing, receipts, ephemeral data.
    Fleeting,
}

/// Keys that are needed of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyNeeds {
    /// Whose.
    pub server: ServerName,
    /// Which.
    pub key_ids: Vec<KeyId>,
    /// Whom to ask as a notary when the server does not answer.
    pub notary: Option<ServerName>,
}

/// The keys known of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeys {
    /// Whose.
    pub server: ServerName,
    /// The keys, current and old.
    pub keys: Vec<KnownKey>,
}

/// A key and when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Its ID.
    pub id: KeyId,
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// When it holds.
    pub validity: Validity,
}

/// When a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// In use; this long at least (already capped at seven days after it was fetched).
    CurrentUntil(Timestamp),
    /// No longer in use since then.
    ExpiredAt(Timestamp),
    /// Said by a notary, not by the server itself: good for events sent by then, never for a request or for what a hub appends. Whoever is the hub of a room
    /// is a notary to its participants, and may say of a silent server what it likes.
    Vouched(Timestamp),
}

/// From where events that a peer is owed are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shelf {
    /// The log, which we order or ordered: positions are the log's.
    #[default]
    Log,
    /// Our users' LPDUs for the hub: positions count what was sent.
    Pending,
}

/// What came of events that a peer machine pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The shelf that they came from, as [`OwedEvents`] said.
    pub shelf: Shelf,
    /// The last position that need not be sent again.
    pub position: i64,
    /// Events that the peer refused, with its words.
    pub refused: Vec<(EventId, Failure)>,
}

/// Events that a peer is owed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwedEvents {
    /// Where they come from.
    pub shelf: Shelf,
    /// Each event's ID and bytes.
    pub events: Vec<(EventId, Vec<u8>)>,
    /// The position up to which these deliver the log.
    pub position: i64,
    /// Whether there is more.
    pub more: bool,
}

/// What became of one received event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The ID of what was received, where one could be computed.
    pub id: Option<EventId>,
    /// Nothing when it was taken or already known.
    pub failure: Option<Failure>,
}

/// The answer to a call. Any call may be answered [`Answer::Refused`], or by its host [`Answer::Unavailable`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Done, nothing to tell.
    Done,
    /// An HTTP-shaped answer, ours or a remote server's.
    Response(Response),
    /// The remote server gave none.
    Unreachable(SendError),
    /// What became of each event of [`RoomCall::Receive`], in order.
    Outcomes(Vec<Outcome>),
    /// What a peer is owed.
    Owed(OwedEvents),
    /// A server's keys.
    Keys(ServerKeys),
    /// The room is there.
    Created(RoomId),
    /// The event's ID: of the PDU at the hub, of the LPDU elsewhere until its echo comes.
    Accepted(EventId),
    /// An object that is part of an answer.
    Object(Document),
    /// Pending invites.
    Invites(Vec<PendingInvite>),
    /// Rooms, and the user's membership of each: joined, invited or knocking.
    Rooms(Vec<(RoomId, Membership)>),
    /// Messages to a device, each with its number.
    Messages(Vec<(u64, Document)>),
    /// Log entries: position, event ID and bytes; no bytes for a link or a hole.
    Entries(Vec<(i64, EventId, Option<Vec<u8>>)>),
    /// Entries of the log, oldest first, with what was found when they were checked.
    History(Vec<HistoryEntry>),
    /// Refused.
    Refused(Failure),
    /// The machine that was asked is gone; ask again.
    Unavailable,
}

/// An entry of the log, and what was found when it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its position.
    pub position: i64,
    /// Its event's ID.
    pub event_id: EventId,
    /// The event; nothing for a link or a hole.
    pub event: Option<Vec<u8>>,
    /// Whether the sender's signature could be checked.
    pub sender_verified: bool,
    /// Whether the content hash fits; else the event is the redacted copy.
    pub intact: bool,
    /// Whether the rules could be checked. They could not where what authorises an event of the past is further back than we have read: that it is part of the
    /// log is then on the hub's word.
    pub authorized: bool,
}
