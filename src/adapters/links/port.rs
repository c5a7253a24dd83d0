//! A link over a `MessagePort`: to a worker, an iframe, or what a page pumps into a data channel.

use alloc::rc::Rc;

use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{MessageEvent, MessagePort};

use super::{Inner, Post, direct::Direct, frame::Frame};

/// Links over the port. A port cannot tell that its other end is gone: the next request that nobody takes does.
pub(super) fn open(links: &Rc<Inner>, port: MessagePort, kind: &'static str) -> Rc<Direct> {
    let sender = port.clone();
    let post: Post = Rc::new(move |frame| frame.write().is_some_and(|frame| sender.post_message(&frame).is_ok()));
    let direct = Direct::open(links, kind, post, None);
    let heard = direct.clone();
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        if let Some(frame) = Frame::read(event.data()) {
            heard.came(frame);
        }
    });
    port.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // The port lives as long as the page lets it.
    listener.forget();
    direct
}
