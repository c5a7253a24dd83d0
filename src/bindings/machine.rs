//! One machine, for hosts that keep their machines apart: at the edge each is a Durable Object.

use alloc::{boxed::Box, string::String, vec::Vec};

use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};

use super::{
    HubletError,
    form::{field, from_js, to_js},
    identity::IdentityForm,
    input::{self, InputForm},
    moment,
    output::OutputForm,
    types::{BacklogObject, IdentityObject, MachineInput, MachineOutput},
};
use crate::server::{
    self, Address, Backlog, Routes, Ticket, account::AccountMachine, front::Front, peer::PeerMachine, room::RoomMachine,
};

#[derive(Serialize)]
struct BacklogForm {
    rooms: usize,
    events: usize,
    edus: usize,
}

/// One machine: a room, a remote server, a local user, or the front. Unstable.
///
/// Hand it each input with the time and 16 fresh random bytes, then carry out what `poll` gives, in order, until it gives nothing. What it
/// asks of other machines and what it answers them is bytes that only machines of the same version of this package read. Call `free` when it is done with.
#[wasm_bindgen]
pub struct Machine {
    machine: Box<dyn server::Machine>,
}

#[wasm_bindgen]
impl Machine {
    /// Opens the machine of an address; it reads its store when it is first spoken to. `first` is its first ticket: give each opening of
    /// one address a range of its own, such as its number times 2^32.
    ///
    /// # Errors
    /// `argument`.
    #[wasm_bindgen(constructor)]
    pub fn new(identity: IdentityObject, address: String, first: f64) -> Result<Self, HubletError> {
        let (us, reached_at) = from_js::<IdentityForm>(identity.into())?.read()?;
        let first = Ticket(super::safe(first, "first")?);
        let machine: Box<dyn server::Machine> = match input::address(Some(address), "address")? {
            Address::Room(room_id) => Box::new(RoomMachine::new(us, room_id, first)),
            Address::Peer(name) => Box::new(PeerMachine::new(us, Routes::new(), name, first)),
            Address::Account(user) => Box::new(AccountMachine::new(us, user, first)),
            Address::Front => Box::new(Front::new(us, Routes::new(), reached_at, first)),
        };
        Ok(Self { machine })
    }

    /// Takes one input. `now` is the clock in milliseconds, `random` 16 fresh random bytes.
    ///
    /// # Errors
    /// `argument`; the machine is then as it was.
    pub fn handle(&mut self, now: f64, random: Vec<u8>, input: MachineInput) -> Result<(), HubletError> {
        let input = JsValue::from(input);
        let call = field(&input, "call").and_then(|call| call.dyn_into::<Uint8Array>().ok());
        let input = from_js::<InputForm>(input)?.machine(call.map(|call| call.to_vec()))?;
        self.machine.handle(moment(now, &random)?, input);
        Ok(())
    }

    /// The next thing to do, if any.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn poll(&mut self) -> Result<Option<MachineOutput>, HubletError> {
        let Some(output) = self.machine.poll() else { return Ok(None) };
        Ok(Some(to_js(&OutputForm::from(output))?.into()))
    }

    /// Whether nothing is under way: the machine may be dropped and opened again from its store.
    #[wasm_bindgen(getter, js_name = isIdle)]
    pub fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    /// What waits to be sent, if the machine is a peer's.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn backlog(&self) -> Result<BacklogObject, HubletError> {
        let Backlog { rooms, events, edus } = self.machine.backlog();
        Ok(to_js(&BacklogForm { rooms, events, edus })?.into())
    }
}
