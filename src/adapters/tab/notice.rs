//! What a page is told: answers to its calls, and what happens.

use alloc::{boxed::Box, string::String};

use js_sys::Reflect;
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::calls::Failed;
use crate::{
    adapters::links::LinkEvent,
    bindings::{form, notification::NotificationForm, request::send_error_word},
    server::Notification,
};

/// Something that happened, for all pages of the server.
#[derive(Debug, Serialize)]
#[serde(tag = "notice", rename_all = "camelCase")]
pub(super) enum Notice {
    /// The core tells local users.
    Told { notification: NotificationForm },
    /// A server can be reached, or no longer.
    Peer { server: String, link: &'static str, connected: bool, at: f64 },
    /// A request was answered, or not.
    Traffic(Box<Traffic>),
    /// The links were cut, or put back.
    Online { online: bool },
}

/// A request over a link.
#[derive(Debug, Serialize)]
pub(super) struct Traffic {
    direction: &'static str,
    server: String,
    link: &'static str,
    method: String,
    target: String,
    bytes: usize,
    status: Status,
    ms: u64,
    answer: Option<String>,
    tampered: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Status {
    Code(u16),
    Word(&'static str),
}

/// What this tab's page alone is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<Opened>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
}

#[derive(Debug, Serialize)]
struct Opened {
    server: String,
    user: String,
    role: &'static str,
}

impl Told {
    pub(super) const fn opened(server: String, user: String, role: &'static str) -> Self {
        Self { id: Some(0), opened: Some(Opened { server, user, role }), role: None, error: None }
    }

    pub(super) const fn role(role: &'static str) -> Self {
        Self { id: None, opened: None, role: Some(role), error: None }
    }

    pub(super) const fn done(id: u32) -> Self {
        Self { id: Some(id), opened: None, role: None, error: None }
    }

    pub(super) fn failed(id: u32, failed: &Failed) -> Self {
        Self { id: Some(id), opened: None, role: None, error: Some(failed.clone()) }
    }

    pub(super) fn write(&self) -> Option<JsValue> {
        form::to_js(self).ok()
    }
}

impl Notice {
    pub(super) fn write(&self) -> Option<JsValue> {
        form::to_js(self).ok()
    }
}

impl From<Notification> for Notice {
    fn from(notification: Notification) -> Self {
        Self::Told { notification: notification.into() }
    }
}

impl From<LinkEvent> for Notice {
    fn from(event: LinkEvent) -> Self {
        match event {
            LinkEvent::Peer { server, link, connected } => {
                Self::Peer { server, link, connected, at: js_sys::Date::now() }
            }
            LinkEvent::Online(online) => Self::Online { online },
            LinkEvent::Traffic { is_ours, server, link, method, target, bytes, outcome, answer, took, tampered } => {
                let status = outcome.map_or_else(|error| Status::Word(send_error_word(error)), Status::Code);
                Self::Traffic(Box::new(Traffic {
                    direction: if is_ours { "out" } else { "in" },
                    server,
                    link,
                    method,
                    target,
                    bytes,
                    status,
                    ms: took,
                    answer,
                    tampered,
                }))
            }
        }
    }
}

/// Puts the page's number of a call onto what came of it.
pub(super) fn number(told: &mut JsValue, id: u32) {
    // What came of a call is a plain object.
    let _ = Reflect::set(told, &"id".into(), &id.into());
}

#[cfg(test)]
mod tests {
    use super::{Failed, Notice, Status, Told, Traffic};
    use crate::{adapters::page::assert_fits, id::UserId, server::Notification};

    #[test]
    fn what_a_page_is_told_is_as_declared() {
        let user = UserId::parse("@a:hub.example").unwrap();
        let traffic = |direction, link, status, answer: Option<&str>| {
            let answer = answer.map(Into::into);
            let (server, method, target) = ("hub.example".into(), "PUT".into(), "/send/1".into());
            Traffic { direction, server, link, method, target, bytes: 1, status, ms: 2, answer, tampered: false }
        };
        for notice in [
            Notice::from(Notification::ToDevice { user }),
            Notice::Peer { server: "hub.example".into(), link: "tabs", connected: true, at: 1.5 },
            Notice::Online { online: false },
            Notice::Traffic(traffic("out", "rtc", Status::Code(200), Some("{}")).into()),
            Notice::Traffic(traffic("in", "none", Status::Word("timed_out"), None).into()),
        ] {
            assert_fits(&notice, "Notice");
        }
        for role in ["writer", "proxy"] {
            assert_fits(&Told::opened("hub.example".into(), "@a:hub.example".into(), role), "Told");
            assert_fits(&Told::role(role), "Told");
        }
        assert_fits(&Told::done(7), "Told");
        assert_fits(&Told::failed(0, &Failed::unsupported("locks")), "Told");
    }
}
