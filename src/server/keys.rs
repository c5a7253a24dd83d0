//! Servers' signing keys: documents, what is learned from them, and who may use a key for what (spec, section 6, Keys).
//!
//! Requests: only current keys. A hub accepts an LPDU only under a current key and within its time. Anyone checking a PDU accepts any key ever learned, an
//! old one up to its end. Every key is kept for ever; a key name has its one key for ever, and nothing is looked up for it.

pub mod document;
pub mod record;
mod ring;

use alloc::vec::Vec;
use core::time::Duration;

pub use ring::{KeyRing, KeysAt};

use super::{
    identity::Identity,
    message::{KnownKey, ServerKeys, Validity},
};
use crate::id::{KeyId, ServerName, Timestamp};

/// The longest time for which a key document counts from when it is fetched.
pub const MAX_VALIDITY: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The most keys that are kept of one server. No server that rotates its key now and then comes near it, and one that makes up keys all day fills no store.
pub const MOST_KEYS: usize = 500;

/// The key ID of every key name's one key.
pub const KEY_NAME_KEY: &str = "ed25519:key";

/// The keys of a key name; `None` for any other name.
pub fn of_key_name(server: &ServerName) -> Option<ServerKeys> {
    let key = server.key_in_name()?;
    let id = KeyId::parse(KEY_NAME_KEY).ok()?;
    let validity = Validity::CurrentUntil(Timestamp::new(u64::MAX));
    Some(ServerKeys { server: server.clone(), keys: Vec::from([KnownKey { id, key, validity }]) })
}

/// Our own keys: the present one, and those that no longer sign.
pub fn own(identity: &Identity) -> ServerKeys {
    let validity = Validity::CurrentUntil(Timestamp::new(u64::MAX));
    let present = KnownKey { id: identity.key_id().clone(), key: identity.public_key(), validity };
    let keys = core::iter::once(present).chain(identity.old_keys().iter().cloned()).collect();
    ServerKeys { server: identity.name().clone(), keys }
}

impl KnownKey {
    /// Whether a request may be signed with it now.
    pub fn is_current(&self, now: Timestamp) -> bool {
        matches!(self.validity, Validity::CurrentUntil(until) if now <= until)
    }
}

impl ServerKeys {
    /// A server of which no key is known.
    pub const fn none(server: ServerName) -> Self {
        Self { server, keys: Vec::new() }
    }

    /// Whether some key of that ID is known, current or not.
    pub fn knows(&self, id: &KeyId) -> bool {
        self.keys.iter().any(|known| known.id == *id)
    }

    /// Adds what a document says, and gives back the keys that are new or changed.
    ///
    /// Nothing is forgotten, and a key once said to have ended stays ended: an older document, passed on by a notary, brings nothing back to life.
    pub fn learn(&mut self, fetched: &[KnownKey]) -> Vec<KnownKey> {
        let mut changed = Vec::new();
        for key in fetched {
            match self.keys.iter_mut().find(|known| known.id == key.id && known.key == key.key) {
                None => {
                    self.keys.push(key.clone());
                    changed.push(key.clone());
                }
                Some(known) => {
                    let validity = later(known.validity, key.validity);
                    if validity != known.validity {
                        known.validity = validity;
                        changed.push(known.clone());
                    }
                }
            }
        }
        changed
    }

    /// Forgets those beyond [`MOST_KEYS`] that count least, and gives them back. What the server says itself of its present key always has a place.
    pub fn shed(&mut self) -> Vec<KnownKey> {
        let mut shed = Vec::new();
        while self.keys.len() > MOST_KEYS
            && let Some((least, _)) = self.keys.iter().enumerate().min_by_key(|(_, known)| known.validity.rank())
        {
            shed.push(self.keys.remove(least));
        }
        shed
    }
}

impl Validity {
    /// Of two keys under one ID the current one counts, then what the server said itself, then the one that holds longer.
    const fn rank(self) -> (u8, Timestamp) {
        match self {
            Self::CurrentUntil(until) => (2, until),
            Self::ExpiredAt(end) => (1, end),
            Self::Vouched(end) => (0, end),
        }
    }
}

/// What holds of a key that was said to hold so before, and so now.
fn later(before: Validity, now: Validity) -> Validity {
    match (before, now) {
        // What the server says itself counts, whatever a notary says before or after.
        (Validity::Vouched(one), Validity::Vouched(other)) => Validity::Vouched(one.max(other)),
        (Validity::Vouched(_), _) => now,
        (_, Validity::Vouched(_)) | (Validity::ExpiredAt(_), _) => before,
        (Validity::CurrentUntil(one), Validity::CurrentUntil(other)) => Validity::CurrentUntil(one.max(other)),
        (Validity::CurrentUntil(_), Validity::ExpiredAt(_)) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::{KnownKey, ServerKeys, Validity, of_key_name};
    use crate::id::{KeyId, ServerName, Timestamp};

    fn key(id: &str, byte: u8, validity: Validity) -> KnownKey {
        KnownKey { id: KeyId::parse(id).unwrap(), key: [byte; 32], validity }
    }

    #[test]
    fn keys_are_kept_and_ended_keys_stay_ended() {
        let (until, ended) = (
            |millis| Validity::CurrentUntil(Timestamp::new(millis)),
            |millis| Validity::ExpiredAt(Timestamp::new(millis)),
        );
        let mut keys = ServerKeys::none(ServerName::parse("a.example").unwrap());
        let steps = [
            (key("ed25519:1", 1, until(10)), 1, until(10)),
            (key("ed25519:1", 1, until(10)), 0, until(10)),
            (key("ed25519:1", 1, until(5)), 0, until(10)),
            (key("ed25519:1", 1, until(20)), 1, until(20)),
            (key("ed25519:1", 1, ended(15)), 1, ended(15)),
            (key("ed25519:1", 1, until(99)), 0, ended(15)),
            (key("ed25519:1", 1, ended(3)), 0, ended(15)),
        ];
        for (fetched, changes, expected) in steps {
            assert_eq!(keys.learn(core::slice::from_ref(&fetched)).len(), changes, "{fetched:?}");
            assert_eq!(keys.keys[0].validity, expected);
        }
        assert_eq!(keys.learn(&[key("ed25519:1", 2, until(9)), key("ed25519:2", 3, until(9))]).len(), 2);
        assert_eq!(keys.keys.len(), 3, "another key under a known ID is kept beside it");
    }

    #[test]
    fn what_a_notary_says_yields_to_the_server() {
        let time = Timestamp::new;
        let mut keys = ServerKeys::none(ServerName::parse("a.example").unwrap());
        let steps = [
            (Validity::Vouched(time(9)), Validity::Vouched(time(9))),
            (Validity::Vouched(time(20)), Validity::Vouched(time(20))),
            (Validity::CurrentUntil(time(10)), Validity::CurrentUntil(time(10))),
            (Validity::Vouched(time(30)), Validity::CurrentUntil(time(10))),
            (Validity::ExpiredAt(time(8)), Validity::ExpiredAt(time(8))),
            (Validity::Vouched(time(30)), Validity::ExpiredAt(time(8))),
        ];
        for (said, expected) in steps {
            keys.learn(&[key("ed25519:1", 1, said)]);
            assert_eq!(keys.keys[0].validity, expected, "{said:?}");
        }
    }

    #[test]
    fn of_too_many_keys_those_go_that_count_least() {
        let time = Timestamp::new;
        let mut keys = ServerKeys::none(ServerName::parse("a.example").unwrap());
        let named = |number: u64, validity| key(&alloc::format!("ed25519:{number}"), 1, validity);
        let mut fetched = alloc::vec![named(0, Validity::Vouched(time(9))), named(1, Validity::ExpiredAt(time(9)))];
        fetched.extend((2..super::MOST_KEYS as u64).map(|number| named(number, Validity::CurrentUntil(time(number)))));
        keys.learn(&fetched);
        assert!(keys.shed().is_empty());
        let mut shed = alloc::vec::Vec::new();
        for number in 1_000..1_003 {
            keys.learn(&[named(number, Validity::CurrentUntil(time(number)))]);
            shed.extend(keys.shed());
        }
        assert_eq!(shed, fetched[..3]);
        assert_eq!(keys.keys.len(), super::MOST_KEYS);
        let mut ring = super::KeyRing::default();
        let mut all = keys.clone();
        all.keys.extend(shed);
        ring.learn(&all);
        ring.learn(&keys);
        assert!(!ring.knows(&keys.server, &fetched[2].id) && ring.knows(&keys.server, &fetched[3].id));
    }

    #[test]
    fn a_key_name_has_its_one_key() {
        let public = crate::crypto::SigningKey::from_seed(&[1; 32]).public();
        let keys = of_key_name(&ServerName::key_name_of(&public).unwrap()).unwrap();
        assert_eq!((keys.keys.len(), keys.keys[0].key), (1, public));
        assert!(keys.keys[0].is_current(Timestamp::new(u64::MAX)));
        assert_eq!(of_key_name(&ServerName::parse("a.example").unwrap()), None);
    }
}
