//! A WebSocket as what carries a kept link.

use alloc::{
    format,
    rc::{Rc, Weak},
};

use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{Event, MessageEvent, WebSocket};

use super::{
    Post,
    frame::Frame,
    kept::{Kept, LinkError},
};
use crate::bindings::{form::field, whole};

/// One socket.
pub(super) struct Open {
    socket: WebSocket,
    _opened: Closure<dyn FnMut(Event)>,
    _came: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(Event)>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // What the socket still has to say must not find its listeners gone.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

/// Opens a socket; `kept` is told what becomes of it.
pub(super) fn dial(kept: &Rc<Kept>, address: &str) -> Result<Open, LinkError> {
    let socket = WebSocket::new(address).map_err(|error| {
        let words = field(&error, "message").and_then(|message| message.as_string());
        LinkError::Address(words.unwrap_or_default())
    })?;
    let (opening, hearing, closing) = (Rc::downgrade(kept), Rc::downgrade(kept), Rc::downgrade(kept));
    let sender = socket.clone();
    let opened = Closure::<dyn FnMut(Event)>::new(move |_| {
        let sender = sender.clone();
        let post: Post = Rc::new(move |frame| frame.text().is_some_and(|text| sender.send_with_str(&text).is_ok()));
        if let Some(kept) = opening.upgrade() {
            kept.opened(post);
        }
    });
    let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let frame = event.data().as_string().and_then(|text| Frame::parse(&text));
        if let (Some(kept), Some(frame)) = (hearing.upgrade(), frame) {
            kept.came(frame);
        }
    });
    let closed = Closure::<dyn FnMut(Event)>::new(move |event: Event| was_closed(&closing, &event));
    socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
    socket.set_onmessage(Some(came.as_ref().unchecked_ref()));
    socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
    Ok(Open { socket, _opened: opened, _came: came, _closed: closed })
}

fn was_closed(kept: &Weak<Kept>, event: &Event) {
    let words = field(event, "reason").and_then(|reason| reason.as_string()).filter(|words| !words.is_empty());
    let code = field(event, "code").and_then(|code| code.as_f64()).map(whole).unwrap_or_default();
    if let Some(kept) = kept.upgrade() {
        kept.closed(words.unwrap_or_else(|| format!("code {code}")));
    }
}
