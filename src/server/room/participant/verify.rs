//! Keys for what is to be verified.

use alloc::vec::Vec;

use crate::{
    event::UnverifiedPdu,
    id::{KeyId, ServerName},
    ordered::Set,
    server::{
        keys::KeyRing,
        message::KeyNeeds,
        room::{context::Context, work::Resume},
    },
};

/// The keys that these events bear signatures of and of which we know none. The notary is the hub (spec, section 6, Keys).
pub(in crate::server::room) fn missing_keys<'p>(
    ring: &KeyRing,
    pdus: impl Iterator<Item = &'p UnverifiedPdu>,
    hub: &ServerName,
) -> Vec<KeyNeeds> {
    let mut missing: Set<(ServerName, KeyId)> = Set::new();
    for need in pdus.flat_map(UnverifiedPdu::required_keys) {
        // One right signature suffices, so one known key does.
        if !need.key_ids.is_empty() && !need.key_ids.iter().any(|id| ring.knows(&need.server, id)) {
            missing.extend(need.key_ids.into_iter().map(|id| (need.server.clone(), id)));
        }
    }
    let mut needs: Vec<KeyNeeds> = Vec::new();
    for (server, id) in missing {
        match needs.last_mut().filter(|needs| needs.server == server) {
            Some(needs) => needs.key_ids.push(id),
            None => {
                let notary = (server != *hub).then(|| hub.clone());
                needs.push(KeyNeeds { server, key_ids: Vec::from([id]), notary });
            }
        }
    }
    needs
}

/// Takes in the keys that came; in time or not, verification goes on with what there is.
pub(in crate::server::room) fn learn(context: &mut Context, resume: Resume) {
    if let Resume::Keys(keys) = resume {
        keys.iter().for_each(|keys| context.keys.learn(keys));
    }
}
