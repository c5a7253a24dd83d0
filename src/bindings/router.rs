//! Where a request goes, before its body has come.

use alloc::{string::String, vec::Vec};

use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{
    HubletError,
    form::{Argument, from_js, to_js},
    request::ResponseForm,
    types::{DirectionObject, Headers},
};
use crate::{
    id::ServerName,
    server::{
        Routes,
        front::{Direction, direct},
    },
};

/// Tells where a request goes. Unstable.
#[wasm_bindgen]
pub struct Router {
    us: ServerName,
    routes: Routes,
}

/// Where a request goes.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum DirectionForm {
    Peer { server: String, endpoint: &'static str },
    Front { endpoint: &'static str },
    Answer { response: ResponseForm },
}

#[wasm_bindgen]
impl Router {
    /// A router of requests to the server of that name.
    ///
    /// # Errors
    /// `argument`.
    #[wasm_bindgen(constructor)]
    pub fn new(server: &str) -> Result<Self, HubletError> {
        let us = ServerName::parse(server).map_err(|error| Argument::of("server", error))?;
        Ok(Self { us, routes: Routes::new() })
    }

    /// Where a request goes, by its method, its raw target and its headers: to the machine of the peer that it says it comes from, to the front, or
    /// nowhere. Whom the headers name is a claim that the peer's machine checks.
    ///
    /// # Errors
    /// `argument`.
    pub fn direct(&self, method: &str, target: &str, headers: Headers) -> Result<DirectionObject, HubletError> {
        let headers: Vec<(String, String)> = from_js(headers.into())?;
        let method = http::Method::from_bytes(method.as_bytes()).map_err(|error| Argument::of("method", error))?;
        let form = match direct(&self.routes, &self.us, &method, target, &headers) {
            Direction::Peer(server, endpoint) => DirectionForm::Peer { server: server.as_str().into(), endpoint },
            Direction::Front(endpoint) => DirectionForm::Front { endpoint },
            Direction::Answer(response) => DirectionForm::Answer { response: response.into() },
        };
        Ok(to_js(&form)?.into())
    }
}
