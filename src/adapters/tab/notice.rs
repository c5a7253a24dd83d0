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
