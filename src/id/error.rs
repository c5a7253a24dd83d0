//! Why a text is not an identifier.

use thiserror::Error;

/// Which part of an identifier's grammar a text breaks (spec, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// The whole text, or a part that must not be, is empty.
    #[error("an identifier, or a part of it, is empty")]
    Empty,
    /// More bytes than the grammar allows.
    #[error("the identifier is too long")]
    TooLong,
    /// The leading `@`, `!`, `$` or `ed25519:` is missing.
    #[error("the identifier does not start as its kind must")]
    Prefix,
    /// A byte outside the grammar's alphabet.
    #[error("the identifier has a character outside its grammar")]
    Character,
    /// No `:` followed by a server name.
    #[error("the identifier names no server")]
    NoServer,
    /// The port is not 1 to 5 digits, or is above 65535.
    #[error("the port is not a number from 0 to 65535")]
    Port,
    /// The host is an IP address, or what a URL parser would read as one.
    #[error("the server name is an ip literal")]
    IpLiteral,
    /// A name under `key.invalid` that is not the name of an acceptable key.
    #[error("the name under key.invalid is not that of an acceptable key")]
    KeyName,
    /// An event ID that does not hold exactly 32 bytes of URL-safe unpadded base64.
    #[error("the event id is not the base64 of a hash")]
    Hash,
}

#[cfg(test)]
mod tests {
    use super::IdError;
    use crate::id::base64::Base64Error;
    use alloc::string::ToString;

    #[test]
    fn messages_read_well() {
        let table = [
            (IdError::Empty, "an identifier, or a part of it, is empty"),
            (IdError::TooLong, "the identifier is too long"),
            (IdError::Prefix, "the identifier does not start as its kind must"),
            (IdError::Character, "the identifier has a character outside its grammar"),
            (IdError::NoServer, "the identifier names no server"),
            (IdError::Port, "the port is not a number from 0 to 65535"),
            (IdError::IpLiteral, "the server name is an ip literal"),
            (IdError::KeyName, "the name under key.invalid is not that of an acceptable key"),
            (IdError::Hash, "the event id is not the base64 of a hash"),
        ];
        for (error, message) in table {
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(Base64Error.to_string(), "not valid base64");
    }
}
