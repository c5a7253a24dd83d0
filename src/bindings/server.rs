//! All machines of one server in one place: for Node and browsers.

use alloc::vec::Vec;

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::{
    HubletError,
    call::CallForm,
    form::{field, from_js, to_js},
    identity::IdentityForm,
    input::InputForm,
    moment,
    output::OutputForm,
    types::{IdentityObject, ServerInput, ServerOutput},
};
use crate::server::host::Host;

/// A whole server: its rooms, peers and local users. Unstable.
///
/// Hand it each input with the time and 16 fresh random bytes, then carry out what `poll` gives, in order, until it gives nothing. Call `free` when
/// it is done with.
#[wasm_bindgen]
pub struct Server {
    host: Host,
}

#[wasm_bindgen]
impl Server {
    /// A server; each machine reads its store when it is first spoken to.
    ///
    /// # Errors
    /// `argument`.
    #[wasm_bindgen(constructor)]
    pub fn new(identity: IdentityObject) -> Result<Self, HubletError> {
        let (identity, reached_at) = from_js::<IdentityForm>(identity.into())?.read()?;
        Ok(Self { host: Host::new(identity, reached_at) })
    }

    /// Takes one input. `now` is the clock in milliseconds, `random` 16 fresh random bytes.
    ///
    /// # Errors
    /// `argument`; the server is then as it was.
    pub fn handle(&mut self, now: f64, random: Vec<u8>, input: ServerInput) -> Result<(), HubletError> {
        let input = JsValue::from(input);
        let call = field(&input, "call").map(from_js::<CallForm>).transpose()?;
        let input = from_js::<InputForm>(input)?.server(call)?;
        self.host.handle(moment(now, &random)?, input);
        Ok(())
    }

    /// The next thing to do, if any.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn poll(&mut self) -> Result<Option<ServerOutput>, HubletError> {
        let Some(output) = self.host.poll() else { return Ok(None) };
        Ok(Some(to_js(&OutputForm::from(output))?.into()))
    }

    /// Drops every machine that has nothing under way; each is opened again from its store when it is next spoken to.
    pub fn rest(&mut self) {
        self.host.rest();
    }
}
