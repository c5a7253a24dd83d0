//! A link over a `MessagePort`: to a worker, an iframe, or what a page pumps into a data channel. The port itself is in a tab of the server, which need not be
//! the one that writes.

use alloc::{rc::Rc, string::String};

use gloo_timers::callback::Timeout;
use wasm_bindgen::JsValue;

use super::{Links, Post, direct::Direct, frame::Frame};

/// How often the other end is looked for, and how long in all, in milliseconds.
const LOOK: u32 = 20;
const PATIENCE: u32 = 10_000;

/// Our end of such a link. It cannot tell that the other is gone: the next request that nobody takes does.
#[derive(Clone)]
pub struct Port {
    direct: Rc<Direct>,
}

impl Links {
    /// Begins a link. `post` puts a frame into the port, if that is there; `named` is told the server at the other end once that has proved its name, or nothing
    /// when it has not in time.
    pub fn open_port(
        &self,
        kind: &'static str,
        post: impl Fn(&JsValue) -> bool + 'static,
        named: impl FnOnce(Option<String>) + 'static,
    ) -> Port {
        let post: Post = Rc::new(move |frame| frame.write().is_some_and(|frame| post(&frame)));
        let direct = Direct::open(&self.inner, kind, post, None);
        wait_for_name(direct.clone(), PATIENCE, named);
        Port { direct }
    }
}

impl Port {
    /// Takes what came out of the port.
    pub fn came(&self, frame: JsValue) {
        if let Some(frame) = Frame::read(frame) {
            self.direct.came(frame);
        }
    }

    /// The port is gone.
    pub fn closed(&self) {
        self.direct.closed();
    }
}

/// What a port's other end is told when this one goes away.
pub fn gone(server: &str) -> Option<JsValue> {
    Frame::Gone { from: server.into() }.write()
}

fn wait_for_name(direct: Rc<Direct>, patience: u32, named: impl FnOnce(Option<String>) + 'static) {
    match direct.server() {
        None if patience > 0 => {
            Timeout::new(LOOK, move || wait_for_name(direct, patience.saturating_sub(LOOK), named)).forget();
        }
        server => named(server),
    }
}
