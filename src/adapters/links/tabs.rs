//! Servers in tabs and workers of the same origin, over a `BroadcastChannel`. Every frame goes to all and names the server that it is for.
//!
//! An origin is one realm of trust: whoever runs in it can read the database too, so nobody here is asked to prove a name.

use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

use super::frame::Frame;

/// What this kind of link is called.
pub(super) const NAME: &str = "tabs";

const CHANNEL: &str = "hublet links";

/// The channel.
pub(super) struct Tabs {
    channel: BroadcastChannel,
    /// Kept for as long as the channel may call it.
    _listener: Closure<dyn FnMut(MessageEvent)>,
}

impl Tabs {
    /// Opens the channel; nothing where the browser has none.
    pub(super) fn open(came: impl Fn(Frame) + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(CHANNEL).ok()?;
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(frame) = Frame::read(event.data()) {
                came(frame);
            }
        });
        channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        Some(Self { channel, _listener: listener })
    }

    /// Whether the frame is on its way.
    pub(super) fn post(&self, frame: &Frame) -> bool {
        frame.write().is_some_and(|frame| self.channel.post_message(&frame).is_ok())
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}
