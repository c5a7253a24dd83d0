//! The links that stand, and which of those to one server its requests take.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::cell::RefCell;

use super::direct::Direct;

/// Links whose other end has proved its name, in the order in which they did; there are few.
#[derive(Default)]
pub(super) struct Ways {
    standing: RefCell<Vec<(String, Rc<Direct>)>>,
}

impl Ways {
    /// Adds a link; whether it is new.
    pub(super) fn add(&self, server: &str, link: &Rc<Direct>) -> bool {
        let mut standing = self.standing.borrow_mut();
        let is_new = !standing.iter().any(|(_, known)| Rc::ptr_eq(known, link));
        if is_new {
            standing.push((server.into(), link.clone()));
        }
        is_new
    }

    /// Takes a link out; whether it was there.
    pub(super) fn remove(&self, link: &Direct) -> bool {
        let mut standing = self.standing.borrow_mut();
        let before = standing.len();
        standing.retain(|(_, known)| !core::ptr::eq(&**known, link));
        standing.len() < before
    }

    /// The link that requests to a server take: one without anybody in between before all others, and of two alike the newer.
    pub(super) fn best(&self, server: &str) -> Option<Rc<Direct>> {
        let standing = self.standing.borrow();
        let links = standing.iter().filter(|(known, _)| known == server).map(|(_, link)| link);
        links.max_by_key(|link| link.is_end_to_end()).cloned()
    }

    /// All of them, and the servers that they are to.
    pub(super) fn all(&self) -> Vec<(String, Rc<Direct>)> {
        self.standing.borrow().clone()
    }
}
