//! How a page opens a server.

use alloc::{collections::BTreeMap, string::String};

use serde::Deserialize;

use crate::adapters::secret::Keeper;

/// What the page wishes; the page's own code has filled in what the user left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options {
    /// Which server of this origin.
    pub(super) name: String,
    /// The local part of the user's ID.
    pub(super) user: String,
    /// Where rows are kept.
    pub(super) store: Kept,
    /// Who keeps the key of a server that is made now.
    pub(super) key: Keeper,
    /// The ways to other servers.
    pub(super) links: Ways,
}

/// Where rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kept {
    Indexeddb,
    Memory,
}

/// The ways to other servers.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ways {
    /// To those in other tabs of this origin.
    pub(super) tabs: bool,
    /// To those behind a WebSocket: the address by server name.
    #[serde(default)]
    pub(super) sockets: BTreeMap<String, String>,
    /// To those that take frames over HTTP: the address by server name.
    #[serde(default)]
    pub(super) http: BTreeMap<String, String>,
}
