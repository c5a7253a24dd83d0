//! Identifiers that are text: users, rooms, room versions, keys, devices.

use alloc::sync::Arc;
use core::{borrow::Borrow, fmt};

use super::{IdError, ServerName, server_name};

const MAX_ID: usize = 255;
const MAX_VERSION: usize = 128;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as it stands in events.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// `@localpart:server`, at most 255 bytes (spec, section 2).
    UserId
}

text_id! {
    /// `!opaque:server`, at most 255 bytes (spec, section 2).
    RoomId
}

text_id! {
    /// 1 to 128 of `a-z 0-9 - .`, or `I.1`; need not be a version that we implement (spec, section 2).
    RoomVersionId
}

text_id! {
    /// `ed25519:` and 1 or more of `A-Z a-z 0-9 _` (spec, section 2).
    KeyId
}

text_id! {
    /// 1 or more of `A-Z a-z 0-9 _` (spec, section 2).
    DeviceId
}

impl UserId {
    /// # Errors
    /// One [`IdError`] for each way to break the grammar, those of the server name included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_scoped(text, '@', |b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'.' | b'=' | b'_' | b'/' | b'+'))?;
        Ok(Self(text.into()))
    }

    /// What stands between `@` and the first `:`.
    pub fn localpart(&self) -> &str {
        halves(&self.0).0
    }

    /// The text of the server name.
    pub fn server(&self) -> &str {
        halves(&self.0).1
    }

    /// The server name as an identifier of its own.
    pub fn server_name(&self) -> ServerName {
        ServerName::checked(self.server())
    }
}

impl RoomId {
    /// # Errors
    /// One [`IdError`] for each way to break the grammar, those of the server name included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_scoped(text, '!', |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'~' | b'_'))?;
        Ok(Self(text.into()))
    }

    /// Reads a room ID of Matrix room version 12: `!` and the 43 characters of the create event's ID, no server.
    ///
    /// # Errors
    /// [`IdError::Prefix`] or [`IdError::Hash`].
    pub fn parse_v12(text: &str) -> Result<Self, IdError> {
        let hash = text.strip_prefix('!').ok_or(IdError::Prefix)?;
        super::base64::decode_url_strict(hash).ok().filter(|bytes| bytes.len() == 32).ok_or(IdError::Hash)?;
        Ok(Self(text.into()))
    }

    /// The text of the server name; empty for what [`RoomId::parse_v12`] read.
    pub fn server(&self) -> &str {
        halves(&self.0).1
    }
}

impl RoomVersionId {
    /// # Errors
    /// [`IdError::Empty`], [`IdError::TooLong`] or [`IdError::Character`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text != "I.1" {
            check_alphabet(text, |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))?;
        }
        if text.len() > MAX_VERSION {
            return Err(IdError::TooLong);
        }
        Ok(Self(text.into()))
    }
}

impl KeyId {
    /// # Errors
    /// [`IdError::Prefix`], [`IdError::Empty`] or [`IdError::Character`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_alphabet(text.strip_prefix("ed25519:").ok_or(IdError::Prefix)?, is_word)?;
        Ok(Self(text.into()))
    }
}

impl DeviceId {
    /// # Errors
    /// [`IdError::Empty`] or [`IdError::Character`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_alphabet(text, is_word)?;
        Ok(Self(text.into()))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn check_alphabet(text: &str, allowed: fn(u8) -> bool) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if !text.bytes().all(allowed) {
        return Err(IdError::Character);
    }
    Ok(())
}

fn check_scoped(text: &str, sigil: char, allowed: fn(u8) -> bool) -> Result<(), IdError> {
    if text.len() > MAX_ID {
        return Err(IdError::TooLong);
    }
    let rest = text.strip_prefix(sigil).ok_or(IdError::Prefix)?;
    let (local, server) = rest.split_once(':').ok_or(IdError::NoServer)?;
    check_alphabet(local, allowed)?;
    server_name::check(server)
}

/// The local and the server part of a scoped identifier: what follows the one-byte sigil, cut at the first colon.
fn halves(text: &str) -> (&str, &str) {
    let rest = text.get(1..).unwrap_or_default();
    rest.split_once(':').unwrap_or((rest, ""))
}
