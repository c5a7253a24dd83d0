//! Links to one server each: a port, a socket, a data channel. Anybody may hold the other end, so whoever it says it is proves it first, by an X-Matrix
//! signature over what nobody can have signed before. A key name is its own key, so that needs nobody else; other names count where the address was given by hand.

use alloc::{
    format,
    rc::{Rc, Weak},
    string::String,
};
use core::cell::{Cell, RefCell};

use super::{Inner, Post, frame::Frame};
use crate::{
    adapters::clock,
    crypto::{PreparedKey, verify},
    id::ServerName,
    server::{Identity, Signer, x_matrix},
};

/// What a proof signs: a request that no server would serve.
fn target(nonce: &str) -> String {
    format!("/_hublet/link/{nonce}")
}

/// One such link.
pub(super) struct Direct {
    kind: &'static str,
    post: Post,
    /// The server whose address this is, if it was given by hand.
    expected: Option<String>,
    nonce: String,
    /// Who says it is at the other end.
    claimed: RefCell<Option<String>>,
    is_proven: Cell<bool>,
    links: Weak<Inner>,
}

impl Direct {
    /// Begins: asks who is there.
    pub(super) fn open(links: &Rc<Inner>, kind: &'static str, post: Post, expected: Option<String>) -> Rc<Self> {
        let nonce = clock::random::<16>().unwrap_or_default().map(|byte| format!("{byte:02x}")).concat();
        let (claimed, is_proven) = (RefCell::default(), Cell::new(false));
        let direct = Rc::new(Self { kind, post, expected, nonce, claimed, is_proven, links: Rc::downgrade(links) });
        direct.challenge();
        direct
    }

    /// Asks who is there, as also after a reconnect.
    pub(super) fn challenge(&self) {
        let Some(links) = self.links.upgrade() else { return };
        (self.post)(&Frame::Challenge { from: links.us(), nonce: self.nonce.clone() });
    }

    /// Deals with what came.
    pub(super) fn came(self: &Rc<Self>, frame: Frame) {
        let Some(links) = self.links.upgrade() else { return };
        match frame {
            Frame::Challenge { from, nonce } => {
                let Ok(server) = ServerName::parse(&from) else { return };
                let proof = header(&links.identity, &server, &nonce);
                let is_new = self.claimed.replace(Some(from.clone())).as_ref() != Some(&from);
                if let Some(header) = proof {
                    (self.post)(&Frame::Proof { header });
                }
                if self.expected.as_ref() == Some(&from) {
                    self.proven(&links, &from);
                } else if is_new && !self.is_proven.get() {
                    // Our own challenge may have come before the other side listened.
                    self.challenge();
                }
            }
            Frame::Proof { header } => {
                let claimed = self.claimed.borrow().clone();
                if let Some(server) = claimed.filter(|server| proves(&links.identity, server, &self.nonce, &header)) {
                    self.proven(&links, &server);
                }
            }
            Frame::Who { .. } | Frame::Here { .. } => {}
            Frame::Gone { .. } => self.closed(),
            frame if self.is_proven.get() && !links.is_offline.get() => links.came(frame, self.kind, &self.post),
            _ => {}
        }
    }

    fn proven(self: &Rc<Self>, links: &Rc<Inner>, server: &str) {
        if self.is_proven.replace(true) {
            return;
        }
        links.direct.borrow_mut().insert(server.into(), self.clone());
        links.found(server, self.kind);
    }

    /// The link is gone.
    pub(super) fn closed(&self) {
        self.is_proven.set(false);
        let (Some(links), Some(server)) = (self.links.upgrade(), self.claimed.borrow().clone()) else { return };
        let is_this = links.direct.borrow().get(&server).is_some_and(|known| core::ptr::eq(&**known, self));
        if is_this {
            links.direct.borrow_mut().remove(&server);
            links.lost(&server);
        }
    }

    /// The server at the other end, once it has proved its name.
    pub(super) fn server(&self) -> Option<String> {
        self.claimed.borrow().clone().filter(|_| self.is_proven.get())
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) fn post(&self) -> Post {
        self.post.clone()
    }
}

/// The proof that we are who we say.
fn header(identity: &Identity, to: &ServerName, nonce: &str) -> Option<String> {
    let Signer::Held(key) = identity.signer() else { return None };
    let input = x_matrix::signing_input(&http::Method::GET, &target(nonce), identity.name(), to, None);
    Some(x_matrix::header(identity.name(), to, identity.key_id(), &key.sign(&input)))
}

/// Whether a header proves that a server with a key name is at the other end.
fn proves(identity: &Identity, server: &str, nonce: &str, header: &str) -> bool {
    let check = || {
        let server = ServerName::parse(server).ok()?;
        let key = PreparedKey::prepare(&server.key_in_name()?).ok()?;
        let claims = x_matrix::claims(&[(String::from(x_matrix::HEADER), header.into())]).ok()?;
        let [claim] = claims.as_slice() else { return None };
        let input = x_matrix::signing_input(&http::Method::GET, &target(nonce), &server, identity.name(), None);
        let is_ours = claim.origin == server && claim.destination == *identity.name();
        (is_ours && verify(&key, &input, &claim.signature).is_ok()).then_some(())
    };
    check().is_some()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{header, proves};
    use crate::{
        crypto::SigningKey,
        id::{KeyId, ServerName},
        server::{Identity, Signer},
    };

    fn identity(seed: u8) -> Identity {
        let key = SigningKey::from_seed(&[seed; 32]);
        let name = ServerName::key_name_of(&key.public()).unwrap();
        Identity::new(name, KeyId::parse("ed25519:key").unwrap(), Signer::Held(key), Vec::new())
    }

    #[test]
    fn a_proof_holds_for_one_name_one_asker_and_one_nonce() {
        let (ann, bob, eve) = (identity(1), identity(2), identity(3));
        let proof = header(&ann, bob.name(), "n1").unwrap();
        assert!(proves(&bob, ann.name().as_str(), "n1", &proof));
        assert!(!proves(&bob, ann.name().as_str(), "n2", &proof), "another challenge");
        assert!(!proves(&bob, eve.name().as_str(), "n1", &proof), "another's name");
        assert!(!proves(&eve, ann.name().as_str(), "n1", &proof), "passed on to a third");
        assert!(!proves(&bob, "hub.example", "n1", &proof), "a name that is no key");
        assert!(!proves(&bob, ann.name().as_str(), "n1", "X-Matrix"), "no proof at all");
    }
}
