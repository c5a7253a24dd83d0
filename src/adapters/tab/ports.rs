//! Links over ports, in any tab of a server. A port stays in the tab whose page has opened the link, since browsers hand none from tab to tab. Where that tab writes
//! the link is its own; elsewhere the tab relays the port's frames to the writer and back, in their order, and opens the link anew at every further writer.
//!
//! Invariant: only the tab that has a port relays its frames; a link is named by that tab and by the port's number there.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::cell::RefCell;

use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, MessagePort};

use super::{
    Inner, Role,
    calls::{Failed, named, text},
    channel::Message,
    notice::Told,
};
use crate::{
    adapters::{
        engine::Engine,
        links::{self, Port},
        locks::{self, Held},
    },
    bindings::form::{Argument, field},
};

/// What a tab has of links over ports.
#[derive(Default)]
pub(super) struct Ports {
    /// The ports of this tab's page.
    kept: RefCell<Vec<Kept>>,
    /// The links over ports while this tab writes, of whichever tab.
    links: RefCell<Vec<Link>>,
    /// Held for as long as this tab lives: who gets this lock knows that it is gone.
    life: RefCell<Option<Held>>,
}

struct Link {
    tab: String,
    /// The port's number there.
    number: u32,
    port: Port,
}

struct Kept {
    /// That of the call that brought it.
    number: u32,
    port: MessagePort,
    is_rtc: bool,
    /// The other end's last challenge, or null. It is asked once a link, so every further writer is to hear it too.
    challenge: JsValue,
    /// Kept for as long as the port may call it.
    _listener: Closure<dyn FnMut(MessageEvent)>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
    }
}

impl Ports {
    /// Puts a frame into a port; whether that is here.
    pub(super) fn post(&self, number: u32, frame: &JsValue) -> bool {
        let kept = self.kept.borrow();
        kept.iter().any(|kept| kept.number == number && kept.port.post_message(frame).is_ok())
    }
}

impl Inner {
    /// Takes the lock by which others learn that this tab is gone.
    pub(super) fn show_life(&self) {
        let this = self.this.clone();
        let granted = move |held| {
            if let Some(tab) = this.upgrade().filter(|tab| !matches!(*tab.role.borrow(), Role::Closed)) {
                tab.ports.life.replace(Some(held));
                tab.open_ports();
            }
        };
        locks::wait_for(&self.life_of(&self.id), granted);
    }

    fn life_of(&self, tab: &str) -> String {
        format!("hublet:{} tab {tab}", self.options.name)
    }

    /// Keeps a port that the page has handed over, and opens the link at its end.
    pub(super) fn keep_port(self: &Rc<Self>, number: u32, call: &JsValue) {
        let Some(port) = field(call, "port").and_then(|port| port.dyn_into::<MessagePort>().ok()) else {
            let failed = Failed::from(Argument::of("port", "must be a MessagePort"));
            return self.to_page(&Told::failed(number, &failed));
        };
        let is_rtc = text(call, "kind").is_some_and(|kind| kind == "rtc");
        let this = self.this.clone();
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(tab) = this.upgrade() {
                tab.heard(number, is_rtc, event.data());
            }
        });
        port.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        let challenge = JsValue::NULL;
        self.ports.kept.borrow_mut().push(Kept {
            number,
            port,
            is_rtc,
            challenge: challenge.clone(),
            _listener: listener,
        });
        self.pending.borrow_mut().insert(number, JsValue::UNDEFINED);
        self.hand_on(number, is_rtc, challenge);
    }

    /// Opens all links of this tab's ports.
    pub(super) fn open_ports(self: &Rc<Self>) {
        let ports: Vec<_> =
            self.ports.kept.borrow().iter().map(|kept| (kept.number, kept.is_rtc, kept.challenge.clone())).collect();
        for (number, rtc, challenge) in ports {
            self.hand_on(number, rtc, challenge);
        }
    }

    /// A frame has come out of a port of ours.
    fn heard(self: &Rc<Self>, number: u32, rtc: bool, frame: JsValue) {
        let is = |kind: &str| field(&frame, "kind").is_some_and(|known| known == kind);
        let (is_challenge, is_gone) = (is("challenge"), is("gone"));
        if is_challenge {
            let mut ports = self.ports.kept.borrow_mut();
            ports.iter_mut().filter(|kept| kept.number == number).for_each(|kept| kept.challenge = frame.clone());
        }
        self.hand_on(number, rtc, frame);
        if is_gone {
            self.let_go(number);
        }
    }

    /// Hands what came out of a port of ours to whoever writes, once that can learn of our end.
    fn hand_on(self: &Rc<Self>, number: u32, rtc: bool, frame: JsValue) {
        match (self.engine_at_work(), &*self.writer.borrow()) {
            (Some(engine), _) => self.came_over(&engine, &self.id, number, rtc, frame),
            (None, Some((writer, _))) if self.ports.life.borrow().is_some() => {
                let (to, from) = (writer.clone(), self.id.clone());
                self.post(&Message::Frame { to, from, number, rtc, frame });
            }
            _ => {}
        }
    }

    /// Nobody is at the other end of a port any more.
    fn let_go(&self, number: u32) {
        if self.pending.borrow_mut().remove(&number).is_some() {
            self.to_page(&Told::failed(number, &Failed::nameless()));
        }
        let (gone, others) = self.ports.kept.take().into_iter().partition::<Vec<_>, _>(|kept| kept.number == number);
        self.ports.kept.replace(others);
        // Its listener is at work, and cannot be dropped before it is done.
        spawn_local(async move { drop(gone) });
    }

    /// As the writer: a frame has come out of a tab's port, with the first of which the link begins.
    pub(super) fn came_over(self: &Rc<Self>, engine: &Rc<Engine>, tab: &str, number: u32, rtc: bool, frame: JsValue) {
        let is_gone = field(&frame, "kind").is_some_and(|kind| kind == "gone");
        let port = self.linked(tab, number).unwrap_or_else(|| self.link(engine, tab, number, rtc));
        port.came(frame);
        if is_gone {
            self.ports.links.borrow_mut().retain(|link| link.number != number || link.tab != tab);
        }
    }

    fn link(self: &Rc<Self>, engine: &Rc<Engine>, tab: &str, number: u32, rtc: bool) -> Port {
        let is_ours = tab == self.id;
        if !is_ours && !self.ports.links.borrow().iter().any(|link| link.tab == tab) {
            self.watch_over(tab.into());
        }
        let (this, to) = (self.this.clone(), String::from(tab));
        let post = move |frame: &JsValue| {
            let Some(tab) = this.upgrade() else { return false };
            if is_ours {
                return tab.ports.post(number, frame);
            }
            tab.post(&Message::Frame { to: to.clone(), from: tab.id.clone(), number, rtc, frame: frame.clone() });
            true
        };
        let (this, to) = (self.this.clone(), String::from(tab));
        let port = engine.links().open_port(if rtc { "rtc" } else { "port" }, post, move |server| {
            let (Some(tab), told) = (this.upgrade(), named(server)) else { return };
            match is_ours {
                true => tab.answered(number, told),
                false => tab.post(&Message::Answer { to, id: number, told }),
            }
        });
        self.ports.links.borrow_mut().push(Link { tab: tab.into(), number, port: port.clone() });
        port
    }

    fn linked(&self, tab: &str, number: u32) -> Option<Port> {
        let links = self.ports.links.borrow();
        links.iter().find(|link| link.number == number && link.tab == tab).map(|link| link.port.clone())
    }

    /// As the writer: waits for the end of a tab that has ports, whose links are gone then.
    fn watch_over(&self, tab: String) {
        let (this, life) = (self.this.clone(), self.life_of(&tab));
        locks::wait_for(&life, move |_held| {
            let Some(this) = this.upgrade() else { return };
            let (gone, others) = this.ports.links.take().into_iter().partition::<Vec<_>, _>(|link| link.tab == tab);
            this.ports.links.replace(others);
            for link in gone {
                link.port.closed();
            }
        });
    }

    /// Ends what this tab has of links: the other ends are told.
    pub(super) fn close_ports(&self) {
        let gone = self.writer.borrow().as_ref().and_then(|(_, server)| links::gone(server));
        for kept in self.ports.kept.take() {
            if let Some(gone) = &gone {
                // A port takes whatever is plain.
                let _ = kept.port.post_message(gone);
            }
        }
        self.ports.life.take();
    }
}
