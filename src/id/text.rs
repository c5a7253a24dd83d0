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
    /// Checks the grammar.
    ///
    /// # Errors
    /// One [`IdError`] for each way to break the grammar, those of the server name included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::parse_known(text, &[])
    }

    /// As [`UserId::parse`], but a server name that is one of `known` is not checked again.
    ///
    /// # Errors
    /// Those of [`UserId::parse`].
    pub fn parse_known(text: &str, known: &[&ServerName]) -> Result<Self, IdError> {
        check_scoped(text, '@', is_local, known)?;
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
    /// Checks the grammar.
    ///
    /// # Errors
    /// One [`IdError`] for each way to break the grammar, those of the server name included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::parse_known(text, &[])
    }

    /// As [`RoomId::parse`], but a server name that is one of `known` is not checked again.
    ///
    /// # Errors
    /// Those of [`RoomId::parse`].
    pub fn parse_known(text: &str, known: &[&ServerName]) -> Result<Self, IdError> {
        check_scoped(text, '!', is_opaque, known)?;
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
    /// Checks the grammar.
    ///
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
    /// Checks the grammar.
    ///
    /// # Errors
    /// [`IdError::Prefix`], [`IdError::Empty`] or [`IdError::Character`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_alphabet(text.strip_prefix("ed25519:").ok_or(IdError::Prefix)?, is_word)?;
        Ok(Self(text.into()))
    }
}

impl DeviceId {
    /// Checks the grammar.
    ///
    /// # Errors
    /// [`IdError::Empty`] or [`IdError::Character`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_alphabet(text, is_word)?;
        Ok(Self(text.into()))
    }
}

fn is_local(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'.' | b'=' | b'_' | b'/' | b'+')
}

fn is_opaque(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'~' | b'_')
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

fn check_scoped(text: &str, sigil: char, allowed: fn(u8) -> bool, known: &[&ServerName]) -> Result<(), IdError> {
    if text.len() > MAX_ID {
        return Err(IdError::TooLong);
    }
    let rest = text.strip_prefix(sigil).ok_or(IdError::Prefix)?;
    let (local, server) = cut(rest).ok_or(IdError::NoServer)?;
    check_alphabet(local, allowed)?;
    if known.iter().any(|name| name.as_str() == server) { Ok(()) } else { server_name::check(server) }
}

/// The local and the server part of a scoped identifier: what follows the one-byte sigil, cut at the first colon.
fn halves(text: &str) -> (&str, &str) {
    let rest = text.get(1..).unwrap_or_default();
    cut(rest).unwrap_or((rest, ""))
}

/// The text before and after its first colon, which is rarely far: a search made for long texts takes longer.
pub(super) fn cut(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == b':')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::{DeviceId, IdError, KeyId, RoomId, RoomVersionId, UserId};
    use crate::{
        crypto::SigningKey,
        id::{EventId, ServerName},
    };
    use alloc::format;

    fn check<T: core::fmt::Display + core::fmt::Debug>(
        parse: fn(&str) -> Result<T, IdError>,
        table: &[(&str, Result<(), IdError>)],
    ) {
        for (text, expected) in table {
            let parsed = parse(text);
            if let Ok(id) = &parsed {
                assert_eq!(&format!("{id}"), text);
            }
            assert_eq!(parsed.map(|_| ()), *expected, "{text:?}");
        }
    }

    #[test]
    fn spec_2_user_ids() {
        check(
            UserId::parse,
            &[
                ("@ann:localhost:8791", Ok(())),
                ("@0-9.=_/+z:Example.org", Ok(())),
                ("@a:a", Ok(())),
                ("", Err(IdError::Prefix)),
                ("a:b", Err(IdError::Prefix)),
                ("!a:b", Err(IdError::Prefix)),
                ("@", Err(IdError::NoServer)),
                ("@a", Err(IdError::NoServer)),
                ("@:b", Err(IdError::Empty)),
                ("@a:", Err(IdError::Empty)),
                ("@A:b", Err(IdError::Character)),
                ("@a b:b", Err(IdError::Character)),
                ("@a~:b", Err(IdError::Character)),
                ("@a@b:b", Err(IdError::Character)),
                ("@\u{e9}:b", Err(IdError::Character)),
                ("@a:b_c", Err(IdError::Character)),
                ("@a:b:c", Err(IdError::Port)),
                ("@a:b:1:2", Err(IdError::Port)),
                ("@a:1.2.3.4", Err(IdError::IpLiteral)),
                ("@a:a.key.invalid", Err(IdError::KeyName)),
            ],
        );
    }

    #[test]
    fn spec_2_room_ids() {
        check(
            RoomId::parse,
            &[
                ("!a:localhost:8787", Ok(())),
                ("!09AZaz-.~_:Example.org", Ok(())),
                ("!a:a", Ok(())),
                ("", Err(IdError::Prefix)),
                ("@a:b", Err(IdError::Prefix)),
                ("!", Err(IdError::NoServer)),
                ("!a", Err(IdError::NoServer)),
                ("!:b", Err(IdError::Empty)),
                ("!a:", Err(IdError::Empty)),
                ("!a+:b", Err(IdError::Character)),
                ("!a=:b", Err(IdError::Character)),
                ("!a/:b", Err(IdError::Character)),
                ("!a:b c", Err(IdError::Character)),
                ("!a:1.2.3.4", Err(IdError::IpLiteral)),
                ("!a:a.key.invalid", Err(IdError::KeyName)),
            ],
        );
    }

    #[test]
    fn spec_2_user_and_room_ids_have_at_most_255_bytes() {
        for (fits, too_long) in [(252, 253), (1, 1)] {
            let (local, host) = ("a".repeat(fits), "b".repeat(253 - fits));
            let (longer_local, longer_host) = ("a".repeat(too_long), "b".repeat(254 - too_long));
            assert_eq!(UserId::parse(&format!("@{local}:{host}")).unwrap().as_str().len(), 255);
            assert_eq!(RoomId::parse(&format!("!{local}:{host}")).unwrap().as_str().len(), 255);
            assert_eq!(UserId::parse(&format!("@{longer_local}:{longer_host}")), Err(IdError::TooLong));
            assert_eq!(RoomId::parse(&format!("!{longer_local}:{longer_host}")), Err(IdError::TooLong));
        }
    }

    #[test]
    fn users_and_rooms_name_their_server() {
        let key_name = ServerName::key_name_of(&SigningKey::from_seed(&[9; 32]).public()).unwrap();
        for server in ["localhost:8791", "Example.org", key_name.as_str()] {
            let user = UserId::parse(&format!("@a.b:{server}")).unwrap();
            assert_eq!((user.localpart(), user.server()), ("a.b", server));
            assert_eq!(Ok(user.server_name()), ServerName::parse(server));
            let room = RoomId::parse(&format!("!a.b:{server}")).unwrap();
            assert_eq!(room.server(), server);
        }
    }

    #[test]
    fn known_servers_change_no_verdict() {
        let names = ["a", "a:1", "localhost:8787"].map(|text| ServerName::parse(text).unwrap());
        let known: alloc::vec::Vec<_> = names.iter().collect();
        for server in ["a", "a:1", "A", "b", "a:", "a:70000", "", "1.2.3.4", "a.key.invalid"] {
            assert_eq!(ServerName::parse_known(server, &known), ServerName::parse(server));
            for local in ["x", "", "X y"] {
                let (user, room) = (format!("@{local}:{server}"), format!("!{local}:{server}"));
                assert_eq!(UserId::parse_known(&user, &known), UserId::parse(&user));
                assert_eq!(RoomId::parse_known(&room, &known), RoomId::parse(&room));
            }
        }
        let long = format!("@{}:a", "x".repeat(253));
        assert_eq!(UserId::parse_known(&long, &known), Err(IdError::TooLong));
    }

    #[test]
    fn matrix_v12_room_ids_name_no_server() {
        let id = format!("!{}", &format!("{}", EventId::from_hash([0xff; 32]))[1..]);
        let room = RoomId::parse_v12(&id).unwrap();
        assert_eq!((room.as_str(), room.server()), (&*id, ""));
        assert_eq!(RoomId::parse(&id), Err(IdError::NoServer));
        check(
            RoomId::parse_v12,
            &[
                ("", Err(IdError::Prefix)),
                ("!", Err(IdError::Hash)),
                ("!a:b", Err(IdError::Hash)),
                (&id[1..], Err(IdError::Prefix)),
                (&id[..43], Err(IdError::Hash)),
                (&format!("{id}A"), Err(IdError::Hash)),
                (&format!("{}9", &id[..43]), Err(IdError::Hash)),
            ],
        );
    }

    #[test]
    fn spec_2_room_versions() {
        check(
            RoomVersionId::parse,
            &[
                ("I.1", Ok(())),
                ("org.matrix.i-d.ralston-mimi-linearized-matrix.02", Ok(())),
                ("1", Ok(())),
                ("12", Ok(())),
                ("a-z.0-9", Ok(())),
                (&"a".repeat(128), Ok(())),
                (&"a".repeat(129), Err(IdError::TooLong)),
                ("", Err(IdError::Empty)),
                ("I.2", Err(IdError::Character)),
                ("I.1.", Err(IdError::Character)),
                ("i_1", Err(IdError::Character)),
                ("A", Err(IdError::Character)),
                ("1 ", Err(IdError::Character)),
            ],
        );
    }

    #[test]
    fn spec_2_key_ids() {
        check(
            KeyId::parse,
            &[
                ("ed25519:key", Ok(())),
                ("ed25519:a_nZvP", Ok(())),
                ("ed25519:0", Ok(())),
                ("", Err(IdError::Prefix)),
                ("key", Err(IdError::Prefix)),
                ("ED25519:key", Err(IdError::Prefix)),
                ("rsa:key", Err(IdError::Prefix)),
                ("ed25519:", Err(IdError::Empty)),
                ("ed25519:a-b", Err(IdError::Character)),
                ("ed25519:a:b", Err(IdError::Character)),
                ("ed25519:a+", Err(IdError::Character)),
                ("ed25519:\u{e9}", Err(IdError::Character)),
            ],
        );
    }

    #[test]
    fn spec_2_device_ids() {
        check(
            DeviceId::parse,
            &[
                ("ABCDEFGHIJ", Ok(())),
                ("a_Z_0", Ok(())),
                ("_", Ok(())),
                ("", Err(IdError::Empty)),
                ("a-b", Err(IdError::Character)),
                ("a:b", Err(IdError::Character)),
                ("a b", Err(IdError::Character)),
                ("\u{e9}", Err(IdError::Character)),
            ],
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn what_parses_is_put_together_again(text in "[@!]?[a-c.:~+]{0,4}[:]?[a-c:.01-]{0,6}") {
            if let Ok(user) = UserId::parse(&text) {
                proptest::prop_assert_eq!(format!("@{}:{}", user.localpart(), user.server()), text.clone());
                proptest::prop_assert_eq!(ServerName::parse(user.server()), Ok(user.server_name()));
            }
            if let Ok(room) = RoomId::parse(&text) {
                proptest::prop_assert!(text.ends_with(room.server()) && ServerName::parse(room.server()).is_ok());
            }
        }
    }
}
