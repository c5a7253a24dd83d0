//! The types that TypeScript sees in place of plain objects: written beside the forms that read and write them.

#[cfg(test)]
pub(crate) mod declared;
#[cfg(test)]
mod tests;

use wasm_bindgen::prelude::wasm_bindgen;

#[allow(dead_code, reason = "only the bindings generator reads it, and a native build has none")]
pub(crate) const DECLARATIONS: &str = include_str!("door.d.ts");

#[wasm_bindgen(typescript_custom_section)]
const DOOR: &str = DECLARATIONS;

#[wasm_bindgen]
extern "C" {
    /// A server's name and keys.
    #[wasm_bindgen(typescript_type = "Identity")]
    pub type IdentityObject;

    /// What one machine takes.
    #[wasm_bindgen(typescript_type = "MachineInput")]
    pub type MachineInput;

    /// What one machine wants done.
    #[wasm_bindgen(typescript_type = "MachineOutput")]
    pub type MachineOutput;

    /// What a whole server takes.
    #[wasm_bindgen(typescript_type = "ServerInput")]
    pub type ServerInput;

    /// What a whole server wants done.
    #[wasm_bindgen(typescript_type = "ServerOutput")]
    pub type ServerOutput;

    /// A call to a machine.
    #[wasm_bindgen(typescript_type = "Call")]
    pub type CallObject;

    /// The answer to a call.
    #[wasm_bindgen(typescript_type = "Answer")]
    pub type AnswerObject;

    /// What waits to be sent to a peer.
    #[wasm_bindgen(typescript_type = "Backlog")]
    pub type BacklogObject;

    /// Where a request goes.
    #[wasm_bindgen(typescript_type = "Direction")]
    pub type DirectionObject;

    /// Headers in order.
    #[wasm_bindgen(typescript_type = "[name: string, value: string][]")]
    pub type Headers;
}
