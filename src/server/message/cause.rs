//! What an event did not pass, named so that refusals can be counted.

use alloc::{format, string::String};
use core::fmt::Debug;

use crate::{
    event::{SchemaError, VerifyError},
    room::authorize::Denial,
};

/// Where on its way an event was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rung {
    /// It came to the wrong place, or from the wrong server.
    Admission,
    /// It is no event.
    Schema,
    /// Signatures or hashes.
    Signatures,
    /// The rules, against the state before it.
    Rules,
}

/// What an event did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The rung.
    pub rung: Rung,
    /// The rule of that rung: one of the names that this program has for them, such as `InviteLevel`.
    pub rule: String,
}

impl Rung {
    /// The rung's name in counts and logs.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Schema => "schema",
            Self::Signatures => "signatures",
            Self::Rules => "rules",
        }
    }
}

impl Cause {
    /// Refused before it was looked at.
    pub fn admission(rule: &str) -> Self {
        Self { rung: Rung::Admission, rule: rule.into() }
    }

    pub(in crate::server) fn schema(error: &SchemaError) -> Self {
        Self { rung: Rung::Schema, rule: name(&error.rule) }
    }

    pub(in crate::server) fn signatures(error: &VerifyError) -> Self {
        Self { rung: Rung::Signatures, rule: name(error) }
    }

    pub(in crate::server) fn rules(reason: &Denial) -> Self {
        match reason {
            Denial::Rule(rule) => Self { rung: Rung::Rules, rule: name(rule) },
            Denial::Refused(refusal) => Self { rung: Rung::Rules, rule: name(refusal) },
            reason => Self::admission(&name(reason)),
        }
    }
}

/// The name of a variant without what it holds. What it holds may come from the event, and names are to be few.
fn name(variant: &impl Debug) -> String {
    let mut text = format!("{variant:?}");
    let end = text.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(text.len());
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::{Cause, Rung};
    use crate::{
        event::VerifyError,
        id::ServerName,
        room::{auth_rule::AuthRule, authorize::Denial, hub_refusal::HubRefusal},
    };

    #[test]
    fn names_hold_nothing_of_the_event() {
        let hub = ServerName::parse("hub.example").unwrap();
        for (cause, rung, rule) in [
            (Cause::rules(&Denial::Rule(AuthRule::InviteLevel { has: 7, needs: 50 })), Rung::Rules, "InviteLevel"),
            (Cause::rules(&Denial::Refused(HubRefusal::HubTransferOff)), Rung::Rules, "HubTransferOff"),
            (Cause::rules(&Denial::WrongHub { hub }), Rung::Admission, "WrongHub"),
            (Cause::signatures(&VerifyError::LpduHash), Rung::Signatures, "LpduHash"),
        ] {
            assert_eq!((cause.rung, cause.rule.as_str()), (rung, rule));
        }
    }
}
