//! One room: state, rules and log (spec, sections 1, 4, 5, 7, 9, 10). Sans-I/O.
//!
//! A room is one array with one writer, so its state before an event is simply what the events before it left; there is
//! nothing to resolve. This layer takes verified events to authorised ones ([`authorize`]) and keeps what they leave
//! ([`state`]). Rules read typed state and one event, and answer with the rule that was broken.
//!
//! ```
//! use hublet::{
//!     event::{EventParts, HubIdentity, I_1, PduDraft},
//!     id::{KeyId, RoomId, ServerName, Timestamp, UserId},
//!     json::{KeyOrder, Limits, parse},
//!     room::{authorize::{self, Before}, known::NothingKnown, state::RoomState},
//! };
//!
//! let room_id = RoomId::parse("!room:hub.example")?;
//! let (server, key_id) = (ServerName::parse("hub.example")?, KeyId::parse("ed25519:1")?);
//! let parts = EventParts {
//!     room_id: &room_id,
//!     sender: &UserId::parse("@ann:hub.example")?,
//!     kind: "m.room.create",
//!     state_key: Some(""),
//!     content: &parse(br#"{"room_version":"I.1"}"#, KeyOrder::Utf16, Limits { bytes: 65_536, depth: 512 })?,
//!     origin_server_ts: Timestamp::new(1_700_000_000_000),
//! };
//!
//! // The hub's own event climbs the rung and gets its place and ID; the state moves past it.
//! let mut state = RoomState::new(room_id.clone(), &I_1);
//! let draft = PduDraft::new(&parts, &I_1)?;
//! let before = Before { state: &state, known: &NothingKnown };
//! let authorized = authorize::draft(draft, None, before).map_err(|denied| denied.reason)?;
//! let chained = authorized.chain(&HubIdentity { server: &server, key_id: &key_id })?;
//! state.apply(chained.source(), chained.event_id(), 0);
//! assert_eq!(state.hub(), Some(&server));
//!
//! // A second one is denied.
//! let before = Before { state: &state, known: &NothingKnown };
//! let denied = authorize::draft(PduDraft::new(&parts, &I_1)?, Some(chained.event_id()), before);
//! assert!(denied.is_err());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

// State: what the events so far have left.
mod content;
pub mod kind;
pub mod membership;
pub mod power_levels;
pub mod state;
pub mod state_row;
pub mod stripped;
mod summary;

// Rules: what the next event may do.
pub mod auth;
pub mod auth_events;
pub mod auth_rule;
pub mod hub_refusal;
pub mod known;
pub mod redaction;

// The rung: verified to authorised.
pub mod auth_chain;
pub mod authorize;

// Reading and keeping: who may see what, and for how long.
pub mod acl;
pub mod retention;
pub mod visibility;

// The log: what stands where, as rows.
pub mod head;
pub mod log;

#[cfg(test)]
pub(crate) mod testing;

pub use summary::{Create, Federation, HubTransfer};
