//! Server names: DNS names, and key names under `key.invalid`.

use alloc::sync::Arc;
use core::{borrow::Borrow, fmt};

use super::{IdError, key_name, text::cut};
use crate::crypto::{KeyError, PreparedKey};

const MAX_HOST: usize = 255;

/// `hostname[:port]`, case-sensitive, never an IP literal; or a key name (spec, section 2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Arc<str>);

impl ServerName {
    /// Checks the grammar, and of a key name that its key is acceptable.
    ///
    /// A host whose last label is a number counts as an IP literal: URL parsers read `127.1` and `0x7f000001` as
    /// addresses, and no DNS name ends so.
    ///
    /// # Errors
    /// One [`IdError`] for each way to break the grammar.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::parse_known(text, &[])
    }

    /// As [`ServerName::parse`], but a name equal to one of `known` is taken from there. To check a key name takes about
    /// a tenth of a signature's verification, and an event may name its server three times.
    ///
    /// # Errors
    /// Those of [`ServerName::parse`].
    pub fn parse_known(text: &str, known: &[&Self]) -> Result<Self, IdError> {
        match known.iter().find(|name| name.as_str() == text) {
            Some(&name) => Ok(name.clone()),
            None => check(text).map(|()| Self(text.into())),
        }
    }

    /// The name of the server whose only key is `key`: its lower-case base32, then `.key.invalid`.
    ///
    /// # Errors
    /// A [`KeyError`] if the acceptance rule refuses the key (spec, 3.4); such a name would not parse.
    pub fn key_name_of(key: &[u8; 32]) -> Result<Self, KeyError> {
        PreparedKey::prepare(key)?;
        Ok(Self(key_name::write(key).into()))
    }

    /// The key that a key name encodes; `None` for any other name.
    pub fn key_in_name(&self) -> Option<[u8; 32]> {
        key_name::read(self.as_str()).ok().flatten()
    }

    /// The name as it stands in events.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its port.
    pub fn host(&self) -> &str {
        cut(&self.0).map_or(&self.0, |(host, _)| host)
    }

    /// The explicit port, if the name has one.
    pub fn port(&self) -> Option<u16> {
        cut(&self.0).and_then(|(_, port)| port.parse().ok())
    }

    /// For text that [`check`] has passed already, as part of a longer identifier.
    pub(super) fn checked(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerName({})", self.0)
    }
}

impl Borrow<str> for ServerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is a server name. Decodes no point unless the name is a key name.
pub(super) fn check(text: &str) -> Result<(), IdError> {
    let (host, port) = match cut(text) {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if host.is_empty() {
        return Err(IdError::Empty);
    }
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        return Err(IdError::Character);
    }
    if host.len() > MAX_HOST {
        return Err(IdError::TooLong);
    }
    if let Some(port) = port
        && (port.is_empty() || port.len() > 5 || !is_digits(port) || port.parse::<u16>().is_err())
    {
        return Err(IdError::Port);
    }
    if ends_in_a_number(host) {
        return Err(IdError::IpLiteral);
    }
    match key_name::read(text)? {
        Some(key) => PreparedKey::prepare(&key).map(|_| ()).map_err(|_| IdError::KeyName),
        None => Ok(()),
    }
}

fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let dot = host.bytes().rposition(|byte| byte == b'.');
    let last = dot.and_then(|at| host.get(at + 1..)).unwrap_or(host);
    match last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && is_digits(last),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{IdError, KeyError, ServerName};
    use crate::{crypto::SigningKey, id::key_name};
    use alloc::{format, string::String, vec::Vec};
    use std::collections::BTreeSet;

    fn name_of_seed(seed: u8) -> ServerName {
        ServerName::key_name_of(&SigningKey::from_seed(&[seed; 32]).public()).unwrap()
    }

    #[test]
    fn spec_2_dns_names() {
        let table = [
            ("a", Ok(())),
            ("localhost", Ok(())),
            ("localhost:8787", Ok(())),
            ("matrix.org", Ok(())),
            ("Matrix.ORG:8448", Ok(())),
            ("xn--bcher-kva.example", Ok(())),
            ("-a-.-b-", Ok(())),
            ("a..b", Ok(())),
            ("example.org.", Ok(())),
            ("1.2.3.4.example", Ok(())),
            ("3com", Ok(())),
            ("a:0", Ok(())),
            ("a:65535", Ok(())),
            ("a:00080", Ok(())),
            (".", Ok(())),
            ("", Err(IdError::Empty)),
            (":8448", Err(IdError::Empty)),
            ("a b", Err(IdError::Character)),
            ("a_b", Err(IdError::Character)),
            ("a/b", Err(IdError::Character)),
            ("b\u{fc}cher.example", Err(IdError::Character)),
            ("a\0", Err(IdError::Character)),
            ("@a", Err(IdError::Character)),
            ("a:", Err(IdError::Port)),
            ("a:x", Err(IdError::Port)),
            ("a:-1", Err(IdError::Port)),
            ("a:+1", Err(IdError::Port)),
            ("a: 1", Err(IdError::Port)),
            ("a:65536", Err(IdError::Port)),
            ("a:99999", Err(IdError::Port)),
            ("a:008080", Err(IdError::Port)),
            ("a:80:80", Err(IdError::Port)),
        ];
        for (text, expected) in table {
            assert_eq!(ServerName::parse(text).map(|_| ()), expected, "{text:?}");
        }
    }

    #[test]
    fn spec_2_no_ip_literals() {
        let literals =
            ["1.2.3.4", "1.2.3.4:8448", "127.1", "2130706433", "0x7f000001", "127.0.0.0X1", "a.1", "1.2.3.4."];
        for text in literals {
            assert_eq!(ServerName::parse(text), Err(IdError::IpLiteral), "{text}");
        }
        for text in ["[::1]", "[::1]:8448", "[2001:db8::1]"] {
            assert_eq!(ServerName::parse(text), Err(IdError::Character), "{text}");
        }
        assert_eq!(ServerName::parse("::1"), Err(IdError::Empty));
        assert_eq!(ServerName::parse("2001:db8::1"), Err(IdError::Port));
    }

    #[test]
    fn spec_2_a_host_has_at_most_255_bytes() {
        let longest = "a".repeat(255);
        assert!(ServerName::parse(&longest).is_ok());
        assert!(ServerName::parse(&format!("{longest}:65535")).is_ok());
        assert_eq!(ServerName::parse(&format!("{longest}a")), Err(IdError::TooLong));
        assert_eq!(ServerName::parse(&format!("{longest}a:1")), Err(IdError::TooLong));
    }

    #[test]
    fn parts_and_order() {
        let name = ServerName::parse("Example.org:8448").unwrap();
        assert_eq!((name.host(), name.port()), ("Example.org", Some(8448)));
        assert_eq!(ServerName::parse("a").unwrap().port(), None);
        assert_eq!(format!("{name} {name:?}"), "Example.org:8448 ServerName(Example.org:8448)");
        assert_ne!(ServerName::parse("A").unwrap(), ServerName::parse("a").unwrap());
        let sorted: Vec<_> = ["a:1", "a", "B", "a.b"].iter().map(|text| ServerName::parse(text).unwrap()).collect();
        let sorted: BTreeSet<_> = sorted.into_iter().collect();
        assert_eq!(sorted.iter().map(ServerName::as_str).collect::<Vec<_>>(), ["B", "a", "a.b", "a:1"]);
        assert!(sorted.contains("a.b"));
    }

    #[test]
    fn spec_2_a_key_name_is_its_key() {
        for seed in 0..32 {
            let key = SigningKey::from_seed(&[seed; 32]).public();
            let name = ServerName::key_name_of(&key).unwrap();
            assert_eq!(name.as_str().len(), 64);
            assert_eq!(name.key_in_name(), Some(key));
            assert_eq!(ServerName::parse(name.as_str()), Ok(name.clone()));
            assert_eq!((name.host(), name.port()), (name.as_str(), None));
        }
        assert_eq!(ServerName::parse("matrix.org").unwrap().key_in_name(), None);
        // RFC 8032, 7.1, test 1; the base32 was computed apart from this crate.
        let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let key: alloc::vec::Vec<_> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert_eq!(
            ServerName::key_name_of(&key.try_into().unwrap()).unwrap().as_str(),
            "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkena.key.invalid"
        );
    }

    #[test]
    fn spec_2_all_else_under_key_invalid_is_invalid() {
        let good = name_of_seed(1);
        let good = good.as_str();
        let (label, _) = good.split_once('.').unwrap();
        let without_last = &label[..51];
        // 256 bits fill 51 characters and one bit of the last, which is therefore `a` or `q`.
        assert!(label.ends_with('a') || label.ends_with('q'));
        let spare_bits =
            "bcdefghijklmnoprstuvwxyz234567".chars().map(|last| format!("{without_last}{last}.key.invalid"));
        let others = [
            String::from("key.invalid"),
            String::from(".key.invalid"),
            String::from("key.invalid."),
            String::from("KEY.INVALID"),
            String::from("a.key.invalid"),
            String::from("key.invalid:1"),
            format!("{good}:443"),
            format!("{good}."),
            format!("a.{good}"),
            format!("{without_last}.key.invalid"),
            format!("{label}a.key.invalid"),
            format!("{label}====.key.invalid"),
            format!("{label}.KEY.invalid"),
            format!("{label}.key.INVALID"),
            good.to_uppercase(),
            good.replacen(|c: char| c.is_ascii_lowercase(), "B", 1),
            format!("0{}", &good[1..]),
            format!("1{}", &good[1..]),
            format!("-{}", &good[1..]),
        ];
        for text in spare_bits.chain(others) {
            let expected = if text.contains('=') { IdError::Character } else { IdError::KeyName };
            assert_eq!(ServerName::parse(&text), Err(expected), "{text}");
        }
        for text in ["mykey.invalid", "key.invalid.example", "invalid", "a.invalid", "keyxinvalid", "ey.invalid"] {
            assert!(ServerName::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn spec_3_4_a_key_name_needs_an_acceptable_key() {
        let small_order = [0; 32];
        let mut not_on_curve = [0; 32];
        not_on_curve[0] = 2;
        // y = p + 3, a point of the curve under its second spelling.
        let mut not_canonical = [0xff; 32];
        (not_canonical[0], not_canonical[31]) = (0xf0, 0x7f);
        let table = [
            (small_order, KeyError::SmallOrder),
            (not_on_curve, KeyError::NotOnCurve),
            (not_canonical, KeyError::NotCanonical),
        ];
        for (key, error) in table {
            assert_eq!(ServerName::key_name_of(&key), Err(error));
            assert_eq!(ServerName::parse(&key_name::write(&key)), Err(IdError::KeyName));
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn what_parses_keeps_its_text(text in "[a-cA-C0-2.:-]{0,8}|[a-q2-7]{51,53}(\\.key\\.invalid)?") {
            if let Ok(name) = ServerName::parse(&text) {
                proptest::prop_assert_eq!(name.as_str(), &text);
                proptest::prop_assert!(!name.host().is_empty() && !name.host().contains(':'));
                proptest::prop_assert_eq!(name.port().is_some(), text.contains(':'));
            }
        }

        #[test]
        fn any_key_is_acceptable_or_has_no_name(key: [u8; 32]) {
            let parsed = ServerName::parse(&key_name::write(&key));
            match ServerName::key_name_of(&key) {
                Ok(name) => {
                    proptest::prop_assert_eq!(name.key_in_name(), Some(key));
                    proptest::prop_assert_eq!(parsed, Ok(name));
                }
                Err(_) => proptest::prop_assert_eq!(parsed, Err(IdError::KeyName)),
            }
        }
    }
}
