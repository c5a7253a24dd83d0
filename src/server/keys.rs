//! temp
use super::message::{ServerKeys, Validity};
use crate::{
    crypto::PreparedKey,
    event::{KeyLookup, KeySource, KeyUse, Role},
    id::{KeyId, ServerName},
};
use alloc::collections::BTreeMap;
/// Temp.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: BTreeMap<(ServerName, KeyId), (PreparedKey, Validity)>,
}
impl KeyRing {
    /// Temp.
    pub fn learn(&mut self, keys: &ServerKeys) {
        for key in &keys.keys {
            let at = (keys.server.clone(), key.id.clone());
            if let Some(known) = self.keys.get_mut(&at).filter(|known| known.0.bytes() == key.key) {
                known.1 = key.validity;
                continue;
            }
            if let Ok(prepared) = PreparedKey::prepare(&key.key) {
                self.keys.insert(at, (prepared, key.validity));
            }
        }
    }
}
impl KeySource for KeyRing {
    fn key(&self, server: &ServerName, key: &KeyId, purpose: KeyUse) -> KeyLookup {
        match self.keys.get(&(server.clone(), key.clone())) {
            None => KeyLookup::Unknown,
            Some((key, Validity::CurrentUntil(until)))
                if purpose.role == Role::Participant || purpose.origin_server_ts <= *until =>
            {
                KeyLookup::Usable(key.clone())
            }
            Some((key, Validity::ExpiredAt(at)))
                if purpose.role == Role::Participant && purpose.origin_server_ts <= *at =>
            {
                KeyLookup::Usable(key.clone())
            }
            Some(_) => KeyLookup::NotValid,
        }
    }
}
