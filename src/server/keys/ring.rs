//! The keys that a machine has learned, prepared once, as a source for verification.

use alloc::vec::Vec;

use super::{KEY_NAME_KEY, MOST_KEYS, own};
use crate::{
    crypto::PreparedKey,
    event::{KeyLookup, KeySource, KeyUse, Role},
    id::{KeyId, ServerName, Timestamp},
    ordered::Map,
    server::{
        identity::Identity,
        message::{ServerKeys, Validity},
    },
};

/// Keys by server and ID. A key is prepared when it is learned, and not again while its bytes stay the same.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    servers: Map<ServerName, Map<KeyId, Vec<Entry>>>,
}

/// A key under an ID. There is more than one only if a server used an ID twice.
#[derive(Clone, Debug)]
struct Entry {
    key: PreparedKey,
    validity: Validity,
}

/// The key ring at a moment: judges by it which keys are current.
#[derive(Clone, Copy, Debug)]
pub struct KeysAt<'r> {
    ring: &'r KeyRing,
    now: Timestamp,
}

impl KeyRing {
    /// A ring that knows our own keys, the present one and those that no longer sign.
    pub fn new(identity: &Identity) -> Self {
        let mut ring = Self::default();
        ring.learn(&own(identity));
        ring
    }

    /// Takes what is known of a server's keys in place of what the ring had under the same IDs. Keys that the acceptance rule refuses are left out.
    pub fn learn(&mut self, keys: &ServerKeys) {
        let ring = self.servers.entry(keys.server.clone()).or_default();
        for known in &keys.keys {
            let entries = ring.entry(known.id.clone()).or_default();
            match entries.iter_mut().find(|entry| entry.key.bytes() == known.key) {
                Some(entry) => entry.validity = known.validity,
                None => {
                    let prepared = PreparedKey::prepare(&known.key).ok();
                    entries.extend(prepared.map(|key| Entry { key, validity: known.validity }));
                }
            }
        }
        // What has been forgotten elsewhere need not be known here.
        if ring.values().map(Vec::len).sum::<usize>() > MOST_KEYS {
            ring.retain(|id, entries| {
                entries.retain(|entry| keys.keys.iter().any(|known| known.id == *id && known.key == entry.key.bytes()));
                !entries.is_empty()
            });
        }
    }

    /// Whether some key of that server and ID is known.
    pub fn knows(&self, server: &ServerName, id: &KeyId) -> bool {
        server.key_in_name().is_some()
            || self.servers.get(server).and_then(|keys| keys.get(id)).is_some_and(|entries| !entries.is_empty())
    }

    /// The ring as a source of keys at a moment.
    pub const fn at(&self, now: Timestamp) -> KeysAt<'_> {
        KeysAt { ring: self, now }
    }

    fn entries(&self, server: &ServerName, id: &KeyId) -> &[Entry] {
        self.servers.get(server).and_then(|keys| keys.get(id)).map_or(&[], Vec::as_slice)
    }
}

impl KeysAt<'_> {
    /// The key, if requests may be signed with it now.
    pub fn current(&self, server: &ServerName, id: &KeyId) -> Option<PreparedKey> {
        let far = Timestamp::new(0);
        match self.key(server, id, KeyUse { origin_server_ts: far, role: Role::Hub }) {
            KeyLookup::Usable(key) => Some(key),
            KeyLookup::NotValid | KeyLookup::Unknown => None,
        }
    }

    fn is_usable(&self, validity: Validity, purpose: KeyUse) -> bool {
        let sent = purpose.origin_server_ts;
        match (purpose.role, validity) {
            (Role::Hub, Validity::CurrentUntil(until)) => self.now <= until && sent <= until,
            (Role::Hub, Validity::ExpiredAt(_) | Validity::Vouched(_)) => false,
            // No event is judged by how long a key was said to be current.
            (Role::Participant, Validity::CurrentUntil(_)) => true,
            (Role::Participant, Validity::ExpiredAt(end) | Validity::Vouched(end)) => sent <= end,
        }
    }
}

impl KeySource for KeysAt<'_> {
    fn key(&self, server: &ServerName, key: &KeyId, purpose: KeyUse) -> KeyLookup {
        let entries = self.ring.entries(server, key);
        if let Some(bytes) = server.key_in_name() {
            if key.as_str() != KEY_NAME_KEY {
                return KeyLookup::NotValid;
            }
            let learned = entries.iter().find(|entry| entry.key.bytes() == bytes).map(|entry| entry.key.clone());
            let key = learned.or_else(|| PreparedKey::prepare(&bytes).ok());
            return key.map_or(KeyLookup::NotValid, KeyLookup::Usable);
        }
        let usable = entries.iter().filter(|entry| self.is_usable(entry.validity, purpose));
        match usable.max_by_key(|entry| entry.validity.rank()) {
            Some(entry) => KeyLookup::Usable(entry.key.clone()),
            None if entries.is_empty() => KeyLookup::Unknown,
            None => KeyLookup::NotValid,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::{KeyRing, ServerKeys, Validity};
    use crate::{
        crypto::SigningKey,
        event::{KeyLookup, KeySource, KeyUse, Role},
        id::{KeyId, ServerName, Timestamp},
        server::{Identity, KnownKey, Signer},
    };

    fn public(seed: u8) -> [u8; 32] {
        SigningKey::from_seed(&[seed; 32]).public()
    }

    fn known(id: &str, seed: u8, validity: Validity) -> KnownKey {
        KnownKey { id: KeyId::parse(id).unwrap(), key: public(seed), validity }
    }

    #[test]
    fn spec_6_keys_serve_each_role_for_their_time() {
        let server = ServerName::parse("a.example").unwrap();
        let mut ring = KeyRing::default();
        let until = Validity::CurrentUntil(Timestamp::new(100));
        let ended = Validity::ExpiredAt(Timestamp::new(50));
        ring.learn(&ServerKeys {
            server: server.clone(),
            keys: vec![known("ed25519:now", 1, until), known("ed25519:old", 2, ended)],
        });
        // Key, role, time of the event, time of the check; usable, or not valid, or unknown.
        let table = [
            ("now", Role::Hub, 90, 90, Some(true)),
            ("now", Role::Hub, 100, 100, Some(true)),
            ("now", Role::Hub, 101, 90, Some(false)),
            ("now", Role::Hub, 90, 101, Some(false)),
            ("now", Role::Participant, 101, 999, Some(true)),
            ("old", Role::Hub, 10, 10, Some(false)),
            ("old", Role::Participant, 50, 999, Some(true)),
            ("old", Role::Participant, 51, 51, Some(false)),
            ("new", Role::Hub, 10, 10, None),
            ("new", Role::Participant, 10, 10, None),
        ];
        for (id, role, sent, now, expected) in table {
            let purpose = KeyUse { origin_server_ts: Timestamp::new(sent), role };
            let id = KeyId::parse(&alloc::format!("ed25519:{id}")).unwrap();
            let found = match ring.at(Timestamp::new(now)).key(&server, &id, purpose) {
                KeyLookup::Usable(_) => Some(true),
                KeyLookup::NotValid => Some(false),
                KeyLookup::Unknown => None,
            };
            assert_eq!(found, expected, "{id} {role:?} {sent} {now}");
        }
        let current =
            |id: &str, now| ring.at(Timestamp::new(now)).current(&server, &KeyId::parse(id).unwrap()).is_some();
        assert_eq!(
            [current("ed25519:now", 100), current("ed25519:now", 101), current("ed25519:old", 1)],
            [true, false, false]
        );
    }

    #[test]
    fn spec_6_keys_a_notarys_word_proves_no_request_and_nothing_to_a_hub() {
        let server = ServerName::parse("a.example").unwrap();
        let id = KeyId::parse("ed25519:1").unwrap();
        let mut ring = KeyRing::default();
        let learn = |ring: &mut KeyRing, key, validity| {
            ring.learn(&ServerKeys { server: server.clone(), keys: vec![known("ed25519:1", key, validity)] });
        };
        let look = |ring: &KeyRing, role, sent| {
            let purpose = KeyUse { origin_server_ts: Timestamp::new(sent), role };
            match ring.at(Timestamp::new(0)).key(&server, &id, purpose) {
                KeyLookup::Usable(key) => Some(key.bytes()),
                _ => None,
            }
        };
        learn(&mut ring, 1, Validity::Vouched(Timestamp::new(50)));
        assert!(ring.at(Timestamp::new(0)).current(&server, &id).is_none());
        assert_eq!([look(&ring, Role::Hub, 1), look(&ring, Role::Participant, 51)], [None, None]);
        assert_eq!(look(&ring, Role::Participant, 50), Some(public(1)));
        // A key of the server's own under the same ID outranks it, even an old one.
        learn(&mut ring, 2, Validity::ExpiredAt(Timestamp::new(9)));
        assert_eq!(look(&ring, Role::Participant, 9), Some(public(2)));
        assert_eq!(look(&ring, Role::Participant, 10), Some(public(1)));
    }

    #[test]
    fn spec_2_a_key_name_has_one_key_and_no_other() {
        let name = ServerName::key_name_of(&public(1)).unwrap();
        let mut ring = KeyRing::default();
        let purpose = KeyUse { origin_server_ts: Timestamp::new(u64::MAX), role: Role::Hub };
        let look = |ring: &KeyRing, id: &str| {
            ring.at(Timestamp::new(u64::MAX)).key(&name, &KeyId::parse(id).unwrap(), purpose)
        };
        let lie = known("ed25519:key", 2, Validity::CurrentUntil(Timestamp::new(9)));
        let other = known("ed25519:2", 2, Validity::CurrentUntil(Timestamp::new(u64::MAX)));
        for _ in 0..2 {
            assert!(matches!(look(&ring, "ed25519:key"), KeyLookup::Usable(key) if key.bytes() == public(1)));
            assert_eq!(look(&ring, "ed25519:2"), KeyLookup::NotValid);
            ring.learn(&ServerKeys { server: name.clone(), keys: vec![lie.clone(), other.clone()] });
        }
    }

    #[test]
    fn our_own_keys_are_known_and_bad_keys_are_not() {
        let name = ServerName::parse("a.example").unwrap();
        let old = known("ed25519:0", 2, Validity::ExpiredAt(Timestamp::new(5)));
        let id = KeyId::parse("ed25519:1").unwrap();
        let signer = Signer::Held(SigningKey::from_seed(&[1; 32]));
        let mut ring = KeyRing::new(&Identity::new(name.clone(), id.clone(), signer, vec![old.clone()]));
        assert!(ring.knows(&name, &id) && ring.knows(&name, &old.id));
        let other = ServerName::parse("b.example").unwrap();
        let weak = KnownKey { id: id.clone(), key: [0; 32], validity: old.validity };
        ring.learn(&ServerKeys { server: other.clone(), keys: Vec::from([weak]) });
        assert!(!ring.knows(&other, &id));
    }
}
