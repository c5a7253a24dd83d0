//! Retention, `m.room.retention` (spec, section 10): which events a server may purge.
//!
//! A purged event keeps its place in the chain as its redacted form, so that the hashes still link.

use super::content;
use crate::event::Event;
use crate::id::Timestamp;
use crate::json::Value;

/// The policy of one `m.room.retention` event. The default keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    max_lifetime: Option<u64>,
    min_lifetime: Option<u64>,
}

/// What retention allows with one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// It must stay.
    Keep(KeepReason),
    /// Its content may go.
    Allowed,
}

/// Why an event stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// State is never purged.
    State,
    /// The newest event of the room is never purged.
    Newest,
    /// `m.mls.commit` is never purged: new members could not follow the group.
    Commit,
    /// A redaction is never purged: a server that receives it late could not tell what it removes, and its own content is no more than that.
    Redaction,
    /// It has not outlived the room's policy, or there is none.
    Young,
}

impl RetentionPolicy {
    /// Reads a content: `max_lifetime` and `min_lifetime`, in milliseconds. Malformed counts as absent; a policy whose
    /// longest lifetime is below its shortest contradicts itself and keeps everything.
    pub fn from_content(content: Value<'_>) -> Self {
        let lifetime = |key| content::integer(content, key).and_then(|ms| u64::try_from(ms).ok());
        let policy = Self { max_lifetime: lifetime("max_lifetime"), min_lifetime: lifetime("min_lifetime") };
        match (policy.max_lifetime, policy.min_lifetime) {
            (Some(max), Some(min)) if max < min => Self::default(),
            _ => policy,
        }
    }

    /// The longest lifetime of an event's content in milliseconds; without one, nothing is purged.
    pub fn max_lifetime(&self) -> Option<u64> {
        self.max_lifetime
    }

    /// The shortest lifetime in milliseconds: no server may purge sooner, whatever its own limits.
    pub fn min_lifetime(&self) -> Option<u64> {
        self.min_lifetime
    }
}

/// Whether `event` may be purged at `now`. `newest` says whether it is the room's last event.
///
/// Its age counts from its own timestamp; one from the future is young.
pub fn purge(event: &Event, newest: bool, policy: &RetentionPolicy, now: Timestamp) -> Purge {
    if event.is_state() {
        return Purge::Keep(KeepReason::State);
    }
    if newest {
        return Purge::Keep(KeepReason::Newest);
    }
    if event.kind() == super::kind::MLS_COMMIT {
        return Purge::Keep(KeepReason::Commit);
    }
    if event.kind() == super::kind::REDACTION {
        return Purge::Keep(KeepReason::Redaction);
    }
    let age = now.millis().saturating_sub(event.origin_server_ts().millis());
    match policy.max_lifetime {
        Some(max) if age > max => Purge::Allowed,
        _ => Purge::Keep(KeepReason::Young),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeepReason, Purge, RetentionPolicy, purge};
    use crate::id::Timestamp;
    use crate::room::testing::{document, message, state_event};

    fn policy(content: &str) -> RetentionPolicy {
        RetentionPolicy::from_content(document(content).root())
    }

    #[test]
    fn only_old_messages_may_go() {
        let hour = policy(r#"{"max_lifetime":3600000}"#);
        let sent = 1_000_000;
        let old = Timestamp::new(sent + 3_600_001);
        let text = message("@ann:a.org", "m.room.message", "{}").at(sent).build();
        let commit = message("@ann:a.org", "m.mls.commit", "{}").at(sent).build();
        let redaction = message("@ann:a.org", "m.room.redaction", "{}").at(sent).build();
        let topic = state_event("@ann:a.org", "m.room.topic", "", "{}").at(sent).build();
        assert_eq!(purge(&text, false, &hour, old), Purge::Allowed);
        assert_eq!(purge(&text, true, &hour, old), Purge::Keep(KeepReason::Newest));
        assert_eq!(purge(&commit, false, &hour, old), Purge::Keep(KeepReason::Commit));
        assert_eq!(purge(&redaction, false, &hour, old), Purge::Keep(KeepReason::Redaction));
        assert_eq!(purge(&topic, false, &hour, old), Purge::Keep(KeepReason::State));
        assert_eq!(purge(&text, false, &hour, Timestamp::new(sent + 3_600_000)), Purge::Keep(KeepReason::Young));
        assert_eq!(purge(&text, false, &hour, Timestamp::new(0)), Purge::Keep(KeepReason::Young));
        assert_eq!(purge(&text, false, &RetentionPolicy::default(), old), Purge::Keep(KeepReason::Young));
    }

    #[test]
    fn malformed_policies_keep_everything() {
        for content in [
            "{}",
            r#"{"max_lifetime":"1"}"#,
            r#"{"max_lifetime":-1}"#,
            r#"{"max_lifetime":1,"min_lifetime":2}"#,
            r#"{"min_lifetime":2}"#,
        ] {
            assert_eq!(policy(content).max_lifetime(), None, "{content}");
        }
        let both = policy(r#"{"max_lifetime":2,"min_lifetime":2}"#);
        assert_eq!((both.max_lifetime(), both.min_lifetime()), (Some(2), Some(2)));
    }
}
