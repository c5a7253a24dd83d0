//! What the rules need of a state event: read once, when it enters the state.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::acl::Acl;
use super::membership::{JoinRule, Membership};
use super::power_levels::PowerLevels;
use super::retention::RetentionPolicy;
use super::visibility::HistoryVisibility;
use super::{content, kind};
use crate::id::{ServerName, UserId};
use crate::json::Value;

/// What the room's `m.room.create` event decides for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    sender: UserId,
    server: ServerName,
    federation: Federation,
    hub_transfer: HubTransfer,
    encryption: Option<Box<str>>,
}

/// Whether users of other servers than the creator's may take part (`m.federate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Federation {
    /// Everyone's users. The default.
    Open,
    /// Only users of the creator's server; kept by the hub.
    CreatorsServer,
}

/// Whether the room's hub may change (spec, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubTransfer {
    /// `m.room.hub` moves the hub: `hublet.hub_transfer` is `true`.
    On,
    /// The hub is the creator's server for ever. The default.
    Off,
}

impl Create {
    fn new(sender: &UserId, content: Value<'_>) -> Self {
        let federation = match content::flag(content, "m.federate") {
            Some(false) => Federation::CreatorsServer,
            Some(true) | None => Federation::Open,
        };
        let hub_transfer = match content::flag(content, "hublet.hub_transfer") {
            Some(true) => HubTransfer::On,
            Some(false) | None => HubTransfer::Off,
        };
        let encryption = content::object(content, "encryption").and_then(|set| content::text(set, "algorithm"));
        Self {
            sender: sender.clone(),
            server: sender.server_name(),
            federation,
            hub_transfer,
            encryption: encryption.map(|algorithm| Box::from(&*algorithm)),
        }
    }

    /// The creator: the create event's sender.
    pub fn sender(&self) -> &UserId {
        &self.sender
    }

    /// The creator's server: the first hub.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// `m.federate`.
    pub fn federation(&self) -> Federation {
        self.federation
    }

    /// `hublet.hub_transfer`.
    pub fn hub_transfer(&self) -> HubTransfer {
        self.hub_transfer
    }

    /// `encryption.algorithm`, known to us or not; `None` for a room in the clear (spec, section 8).
    pub fn encryption(&self) -> Option<&str> {
        self.encryption.as_deref()
    }
}

/// What the rules need of one state event. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Summary {
    /// Nothing: no rule reads it.
    Plain,
    Member(Membership),
    Create(Arc<Create>),
    PowerLevels(Arc<PowerLevels>),
    JoinRule(JoinRule),
    HistoryVisibility(HistoryVisibility),
    Acl(Arc<Acl>),
    /// The server of an `m.room.hub` sender.
    Hub(ServerName),
    Retention(RetentionPolicy),
}

/// How much of a state event must be kept to have its summary again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Membership,
    SenderAndContent,
}

impl Summary {
    /// Reads a state event; malformed content counts as absent.
    pub(super) fn read(kind: &str, state_key: &str, sender: &UserId, content: Value<'_>) -> Self {
        match (kind, state_key) {
            (kind::MEMBER, _) => Self::Member(Membership::from_content(content).unwrap_or_default()),
            (kind::CREATE, "") => Self::Create(Arc::new(Create::new(sender, content))),
            (kind::POWER_LEVELS, "") => Self::PowerLevels(Arc::new(PowerLevels::from_content(content))),
            (kind::JOIN_RULES, "") => Self::JoinRule(JoinRule::from_content(content)),
            (kind::HISTORY_VISIBILITY, "") => Self::HistoryVisibility(HistoryVisibility::from_content(content)),
            (kind::SERVER_ACL, "") => Self::Acl(Arc::new(Acl::from_content(content))),
            (kind::HUB, "") => Self::Hub(sender.server_name()),
            (kind::RETENTION, "") => Self::Retention(RetentionPolicy::from_content(content)),
            _ => Self::Plain,
        }
    }

    pub(super) fn need(&self) -> Need {
        match self {
            Self::Plain => Need::Nothing,
            Self::Member(_) => Need::Membership,
            _ => Need::SenderAndContent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Create, Federation, HubTransfer};
    use crate::room::testing::{document, user};

    fn create(content: &str) -> Create {
        Create::new(&user("@ann:a.org"), document(content).root())
    }

    #[test]
    fn create_reads_its_flags_and_malformed_ones_count_as_absent() {
        let plain = create("{}");
        assert_eq!(plain.federation(), Federation::Open);
        assert_eq!(plain.hub_transfer(), HubTransfer::Off);
        assert_eq!(plain.encryption(), None);
        assert_eq!(plain.server().as_str(), "a.org");
        let set = create(r#"{"encryption":{"algorithm":"m.mls.v1.x"},"hublet.hub_transfer":true,"m.federate":false}"#);
        assert_eq!(set.federation(), Federation::CreatorsServer);
        assert_eq!(set.hub_transfer(), HubTransfer::On);
        assert_eq!(set.encryption(), Some("m.mls.v1.x"));
        let malformed = create(r#"{"encryption":"m.mls.v1.x","hublet.hub_transfer":"true","m.federate":0}"#);
        assert_eq!(malformed, plain);
    }
}
