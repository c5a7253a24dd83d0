//! Key names: a server name that is its server's public key (spec, section 2, "Key names").
//!
//! Only the text is handled here; whether the key is acceptable is for `server_name` to ask.

use alloc::string::String;

use base32ct::{Base32Unpadded, Encoding};

use super::{IdError, text::cut};

const DOMAIN: &str = "key.invalid";
const LABEL_LENGTH: usize = 52;

/// `key` as a name, acceptable or not.
pub(super) fn write(key: &[u8; 32]) -> String {
    let mut name = Base32Unpadded::encode_string(key);
    name.push('.');
    name.push_str(DOMAIN);
    name
}

/// The key in a name under `key.invalid`, `None` for a name elsewhere.
///
/// DNS compares without case and allows a final dot, so `KEY.invalid.` lies under `key.invalid` as well; there the one
/// valid spelling is 52 lower-case characters, spare bits zero, without a port.
pub(super) fn read(name: &str) -> Result<Option<[u8; 32]>, IdError> {
    let (host, port) = cut(name).map_or((name, None), |(host, port)| (host, Some(port)));
    if !is_under_domain(host.strip_suffix('.').unwrap_or(host)) {
        return Ok(None);
    }
    let label = host.strip_suffix(DOMAIN).and_then(|rest| rest.strip_suffix('.')).ok_or(IdError::KeyName)?;
    if port.is_some() || label.len() != LABEL_LENGTH {
        return Err(IdError::KeyName);
    }
    let mut key = [0; 32];
    Base32Unpadded::decode(label, &mut key).map_err(|_| IdError::KeyName)?;
    // The last character has four bits to spare; in the one valid spelling they are zero.
    if Base32Unpadded::encode_string(&key) != label {
        return Err(IdError::KeyName);
    }
    Ok(Some(key))
}

fn is_under_domain(host: &str) -> bool {
    let Some(before) = host.len().checked_sub(DOMAIN.len()) else { return false };
    match host.split_at_checked(before) {
        Some((rest, end)) => end.eq_ignore_ascii_case(DOMAIN) && (rest.is_empty() || rest.ends_with('.')),
        None => false,
    }
}
