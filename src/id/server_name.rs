//! Server names: DNS names, and key names under `key.invalid`.

use alloc::sync::Arc;
use core::{borrow::Borrow, fmt};

use super::{IdError, key_name};
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
        check(text)?;
        Ok(Self(text.into()))
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
        self.0.split_once(':').map_or(&self.0, |(host, _)| host)
    }

    /// The explicit port, if the name has one.
    pub fn port(&self) -> Option<u16> {
        self.0.split_once(':').and_then(|(_, port)| port.parse().ok())
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
    let (host, port) = match text.split_once(':') {
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
    let last = host.rsplit('.').next().unwrap_or(host);
    match last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && is_digits(last),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}
