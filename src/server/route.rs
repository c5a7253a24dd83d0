//! From method and target to a typed request: the endpoint table as data (spec, section 6).

pub mod percent;
mod read;

use alloc::sync::Arc;

use http::Method;
use matchit::Router;

use self::read::{Parameters, Row};
use super::{
    endpoint::Endpoint,
    message::{ErrorCode, Failure},
};

/// What the paths of draft 02's own endpoints start with.
macro_rules! prefixed {
    ($path:literal) => {
        concat!("/_matrix/federation/unstable/org.matrix.i-d.ralston-mimi-linearized-matrix.02", $path)
    };
}
macro_rules! v1 {
    ($path:literal) => {
        concat!("/_matrix/federation/v1", $path)
    };
}
macro_rules! v2 {
    ($path:literal) => {
        concat!("/_matrix/federation/v2", $path)
    };
}
macro_rules! v3 {
    ($path:literal) => {
        concat!("/_matrix/federation/v3", $path)
    };
}

/// What the paths of draft 02's own endpoints start with (`PFX` in the spec).
pub const PREFIX: &str = prefixed!("");

/// Every path, the one method that it takes, and what it means.
static TABLE: [(Method, &str, Row); 33] = [
    (Method::GET, "/.well-known/matrix/server", Row::WellKnown),
    (Method::GET, "/_matrix/key/v2/server", Row::OwnKeys),
    (Method::GET, "/_matrix/key/v2/query/{server}", Row::NotaryKeys),
    (Method::POST, "/_matrix/key/v2/query", Row::NotaryKeysOfMany),
    (Method::PUT, prefixed!("/send/{txn}"), Row::Send),
    (Method::PUT, v2!("/send/{txn}"), Row::Send),
    (Method::GET, prefixed!("/event/{event}"), Row::Event),
    (Method::GET, v2!("/event/{event}"), Row::Event),
    (Method::GET, v1!("/state/{room}"), Row::State),
    (Method::GET, v1!("/state_ids/{room}"), Row::StateIds),
    (Method::GET, v1!("/event_auth/{room}/{event}"), Row::EventAuth),
    (Method::GET, prefixed!("/backfill/{room}"), Row::Backfill),
    (Method::GET, v2!("/backfill/{room}"), Row::Backfill),
    (Method::POST, prefixed!("/invite/{txn}"), Row::Invite),
    (Method::POST, v3!("/invite/{txn}"), Row::Invite),
    (Method::GET, v1!("/make_join/{room}/{user}"), Row::MakeJoin),
    (Method::POST, prefixed!("/send_join/{txn}"), Row::SendJoin),
    (Method::POST, v3!("/send_join/{txn}"), Row::SendJoin),
    (Method::GET, v1!("/make_leave/{room}/{user}"), Row::MakeLeave),
    (Method::POST, prefixed!("/send_leave/{txn}"), Row::SendLeave),
    (Method::POST, v3!("/send_leave/{txn}"), Row::SendLeave),
    (Method::GET, v1!("/make_knock/{room}/{user}"), Row::MakeKnock),
    (Method::POST, prefixed!("/send_knock/{txn}"), Row::SendKnock),
    (Method::POST, v3!("/send_knock/{txn}"), Row::SendKnock),
    (Method::GET, prefixed!("/user/{user}/device/{device}"), Row::Device),
    (Method::GET, v1!("/user/{user}/device/{device}"), Row::Device),
    (Method::POST, v1!("/user/keys/claim"), Row::ClaimKeys),
    (Method::POST, v1!("/user/keys/query"), Row::QueryDeviceKeys),
    (Method::GET, v1!("/user/devices/{user}"), Row::Devices),
    (Method::GET, v1!("/query/profile"), Row::Profile),
    (Method::GET, v1!("/query/directory"), Row::Directory),
    (Method::GET, v1!("/media/download/{media}"), Row::Media),
    (Method::GET, v1!("/media/thumbnail/{media}"), Row::Media),
];

/// The endpoint table, ready to match. Build it once; cloning it copies a pointer.
#[derive(Clone)]
pub struct Routes {
    router: Arc<Router<(Method, Row)>>,
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Routes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Routes")
    }
}

impl Routes {
    /// The table.
    #[must_use]
    pub fn new() -> Self {
        let mut router = Router::new();
        for (method, path, row) in &TABLE {
            // Invariant: no two paths of the table conflict. A test reaches every row.
            let inserted = router.insert(*path, (method.clone(), *row));
            debug_assert!(inserted.is_ok(), "{path}");
        }
        Self { router: Arc::new(router) }
    }

    /// What a request asks.
    ///
    /// # Errors
    /// 404 `M_UNRECOGNIZED` for an unknown path, 405 for a known one under another method, 400 `M_INVALID_PARAM` that names the parameter.
    ///
    /// ```
    /// use hublet::server::{Routes, endpoint::Endpoint};
    /// let routes = Routes::new();
    /// assert_eq!(routes.endpoint(&http::Method::GET, "/_matrix/key/v2/server"), Ok(Endpoint::OwnKeys));
    /// assert_eq!(routes.endpoint(&http::Method::PUT, "/_matrix/key/v2/server").unwrap_err().status, 405);
    /// ```
    pub fn endpoint(&self, method: &Method, target: &str) -> Result<Endpoint, Failure> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let matched = self.router.at(path).map_err(|_| {
            Failure::of(ErrorCode::Unrecognized, "no endpoint has this path; paths have no trailing slash")
        })?;
        let (takes, row) = matched.value;
        if takes != method {
            let error = alloc::format!("this path takes {takes}");
            return Err(Failure::new(405, ErrorCode::Unrecognized, error));
        }
        row.endpoint(&Parameters::new(&matched.params, query))
    }
}

#[cfg(test)]
mod tests;
