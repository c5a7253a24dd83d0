//! What the tabs of one server say to each other.

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;

use alloc::{format, string::String};

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

use crate::bindings::{form::field, whole};

/// One message; all tabs of the server get it.
pub(super) enum Message {
    /// A tab is new: who writes?
    Hello { from: String },
    /// This tab writes from now on.
    Writer { life: String, server: String },
    /// A page's call, for the writer in that life.
    Call { life: String, from: String, id: u32, call: JsValue },
    /// What came of it.
    Answer { to: String, id: u32, told: JsValue },
    /// What all pages are told.
    Notice { notice: JsValue },
    /// To the writer: what came out of a tab's port, at first null. To that tab: what is to go into it.
    Frame { to: String, from: String, number: u32, rtc: bool, frame: JsValue },
}

/// The channel that the tabs of a server have in common.
pub(super) struct Channel {
    channel: BroadcastChannel,
    /// Kept for as long as the channel may call it.
    _listener: Closure<dyn FnMut(MessageEvent)>,
}

impl Channel {
    pub(super) fn open(name: &str, came: impl Fn(Message) + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(&format!("hublet server {name}")).ok()?;
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(message) = Message::read(&event.data()) {
                came(message);
            }
        });
        channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        Some(Self { channel, _listener: listener })
    }

    pub(super) fn post(&self, message: &Message) {
        // What cannot be cloned is none of our messages.
        let _ = self.channel.post_message(&message.write());
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}

impl Message {
    fn read(value: &JsValue) -> Option<Self> {
        let text = |name: &str| field(value, name)?.as_string();
        let count = |name: &str| u32::try_from(whole(field(value, name)?.as_f64()?)).ok();
        match text("kind")?.as_str() {
            "hello" => Some(Self::Hello { from: text("from")? }),
            "writer" => Some(Self::Writer { life: text("life")?, server: text("server")? }),
            "call" => {
                let (life, from) = (text("life")?, text("from")?);
                Some(Self::Call { life, from, id: count("id")?, call: field(value, "call")? })
            }
            "answer" => Some(Self::Answer { to: text("to")?, id: count("id")?, told: field(value, "told")? }),
            "notice" => Some(Self::Notice { notice: field(value, "notice")? }),
            "frame" => {
                let (to, from, rtc) = (text("to")?, text("from")?, field(value, "rtc")?.as_bool()?);
                Some(Self::Frame { to, from, number: count("number")?, rtc, frame: field(value, "frame")? })
            }
            _ => None,
        }
    }

    fn write(&self) -> JsValue {
        let object = Object::new();
        let set = |name: &str, value: &JsValue| {
            // A plain object takes any field.
            let _ = Reflect::set(&object, &name.into(), value);
        };
        let text = |name: &str, value: &str| set(name, &value.into());
        match self {
            Self::Hello { from } => {
                text("kind", "hello");
                text("from", from);
            }
            Self::Writer { life, server } => {
                text("kind", "writer");
                text("life", life);
                text("server", server);
            }
            Self::Call { life, from, id, call } => {
                text("kind", "call");
                text("life", life);
                text("from", from);
                set("id", &(*id).into());
                set("call", call);
            }
            Self::Answer { to, id, told } => {
                text("kind", "answer");
                text("to", to);
                set("id", &(*id).into());
                set("told", told);
            }
            Self::Notice { notice } => {
                text("kind", "notice");
                set("notice", notice);
            }
            Self::Frame { to, from, number, rtc, frame } => {
                text("kind", "frame");
                text("to", to);
                text("from", from);
                set("number", &(*number).into());
                set("rtc", &(*rtc).into());
                set("frame", frame);
            }
        }
        object.into()
    }
}
