//! Links: ways between two servers that carry requests both ways, such as a socket. Anybody may hold the other end, so a server proves its name there (spec,
//! section 2, "Key names"): it signs, as X-Matrix does, a request that nobody serves, with what the other side made up. Only key names are proved so, for
//! they need nobody else to vouch for a key.

use alloc::{format, string::String, vec::Vec};

use super::{identity::Identity, x_matrix};
use crate::{
    crypto::{PreparedKey, Signature, verify},
    id::ServerName,
};

/// Where a link was opened. A proof for the one place is none for the other: whoever holds the other end of a port may pass on what a hub made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// At an address.
    There,
    /// Over a port or a data channel.
    Here,
}

/// What we sign to prove that we are who we say to a server that made up `nonce`.
pub fn proof_input(identity: &Identity, to: &ServerName, opened: Opened, nonce: &str) -> Vec<u8> {
    x_matrix::signing_input(&http::Method::GET, &target(opened, nonce), identity.name(), to, None)
}

/// Whether this can be a nonce: what is signed with it must say nothing else.
pub fn is_nonce(nonce: &str) -> bool {
    (1..=64).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The proof with our signature of [`proof_input`]: an X-Matrix header.
pub fn proof(identity: &Identity, to: &ServerName, signature: &Signature) -> String {
    x_matrix::header(identity.name(), to, identity.key_id(), signature)
}

/// Whether a header proves to `us` that `server`, which has a key name, is at the other end.
pub fn is_proven(us: &ServerName, server: &str, opened: Opened, nonce: &str, header: &str) -> bool {
    let check = || {
        let server = ServerName::parse(server).ok()?;
        let key = PreparedKey::prepare(&server.key_in_name()?).ok()?;
        let claims = x_matrix::claims(&[(String::from(x_matrix::HEADER), header.into())]).ok()?;
        let [claim] = claims.as_slice() else { return None };
        let input = x_matrix::signing_input(&http::Method::GET, &target(opened, nonce), &server, us, None);
        let is_meant = claim.origin == server && claim.destination == *us;
        (is_meant && verify(&key, &input, &claim.signature).is_ok()).then_some(())
    };
    check().is_some()
}

fn target(opened: Opened, nonce: &str) -> String {
    let place = match opened {
        Opened::There => "link",
        Opened::Here => "port",
    };
    format!("/_hublet/{place}/{nonce}")
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Opened, is_nonce, is_proven, proof, proof_input};
    use crate::{
        crypto::SigningKey,
        id::{KeyId, ServerName},
        server::{Identity, Signer},
    };

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn identity(seed: u8) -> Identity {
        let key = key(seed);
        let name = ServerName::key_name_of(&key.public()).unwrap();
        Identity::new(name, KeyId::parse("ed25519:key").unwrap(), Signer::Held(key), Vec::new())
    }

    #[test]
    fn a_proof_holds_for_one_name_one_asker_and_one_nonce() {
        let (ann, bob, eve) = (identity(1), identity(2), identity(3));
        let signature = key(1).sign(&proof_input(&ann, bob.name(), Opened::There, "n1"));
        let header = proof(&ann, bob.name(), &signature);
        assert!(is_proven(bob.name(), ann.name().as_str(), Opened::There, "n1", &header));
        assert!(!is_proven(bob.name(), ann.name().as_str(), Opened::There, "n2", &header), "another challenge");
        assert!(!is_proven(bob.name(), eve.name().as_str(), Opened::There, "n1", &header), "another's name");
        assert!(!is_proven(eve.name(), ann.name().as_str(), Opened::There, "n1", &header), "passed on to a third");
        assert!(!is_proven(bob.name(), "hub.example", Opened::There, "n1", &header), "a name that is no key");
        assert!(!is_proven(bob.name(), ann.name().as_str(), Opened::There, "n1", "X-Matrix"), "no proof at all");
        assert!(!is_proven(bob.name(), ann.name().as_str(), Opened::Here, "n1", &header), "passed on from a hub");
        let header = proof(&ann, bob.name(), &key(3).sign(&proof_input(&ann, bob.name(), Opened::There, "n1")));
        assert!(!is_proven(bob.name(), ann.name().as_str(), Opened::There, "n1", &header), "another's key");
    }

    #[test]
    fn a_nonce_says_nothing_else() {
        assert!(is_nonce("0f9c") && is_nonce("3d0c7b60-55a1-4b8e-9d6a-0a3b4c5d6e7f"));
        for other in ["", "a/b", "a?b", "\"", "é", &"a".repeat(65)] {
            assert!(!is_nonce(other), "{other}");
        }
    }
}
