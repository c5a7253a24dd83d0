//! Membership and join rules (spec, section 5, rule 5).

use super::content;
use crate::json::Value;

/// A user's membership of a room. Absent counts as [`Membership::Leave`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Membership {
    /// Not in the room: never was, left, was kicked, or was unbanned.
    #[default]
    Leave,
    /// In the room.
    Join,
    /// Asked in by a member.
    Invite,
    /// Asks to be let in.
    Knock,
    /// Kept out.
    Ban,
}

impl Membership {
    /// Reads the word of the wire; an unknown word is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "leave" => Self::Leave,
            "join" => Self::Join,
            "invite" => Self::Invite,
            "knock" => Self::Knock,
            "ban" => Self::Ban,
            _ => return None,
        })
    }

    /// The word of the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Ban => "ban",
        }
    }

    /// Reads `content.membership` of a member event; malformed counts as absent.
    pub fn from_content(content: Value<'_>) -> Option<Self> {
        Self::parse(&content::text(content, "membership")?)
    }
}

/// Who may join a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum JoinRule {
    /// Only the invited. The default where no join rule is set, or a malformed one.
    #[default]
    Invite,
    /// Everyone who is not banned.
    Public,
    /// The invited; others may ask.
    Knock,
    /// A rule that these room versions do not have (`private`, `restricted`, …): nobody joins.
    Other,
}

impl JoinRule {
    /// Reads `content.join_rule`; malformed counts as absent.
    pub fn from_content(content: Value<'_>) -> Self {
        match content::text(content, "join_rule").as_deref() {
            None | Some("invite") => Self::Invite,
            Some("public") => Self::Public,
            Some("knock") => Self::Knock,
            Some(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{JoinRule, Membership};
    use crate::room::testing::document;

    #[test]
    fn membership_words_survive_a_round_trip() {
        for word in ["leave", "join", "invite", "knock", "ban"] {
            assert_eq!(Membership::parse(word).map(Membership::as_str), Some(word));
        }
        assert_eq!(Membership::parse("Join"), None);
    }

    #[test]
    fn malformed_content_counts_as_absent() {
        assert_eq!(Membership::from_content(document(r#"{"membership":1}"#).root()), None);
        assert_eq!(Membership::from_content(document("{}").root()), None);
        for (content, rule) in [
            ("{}", JoinRule::Invite),
            (r#"{"join_rule":7}"#, JoinRule::Invite),
            (r#"{"join_rule":"invite"}"#, JoinRule::Invite),
            (r#"{"join_rule":"public"}"#, JoinRule::Public),
            (r#"{"join_rule":"knock"}"#, JoinRule::Knock),
            (r#"{"join_rule":"restricted"}"#, JoinRule::Other),
            (r#"{"join_rule":"private"}"#, JoinRule::Other),
        ] {
            assert_eq!(JoinRule::from_content(document(content).root()), rule, "{content}");
        }
    }
}
