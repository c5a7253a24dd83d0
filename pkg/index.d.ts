/**
 * The core: a whole server without a clock, a network or a store, and what goes with it.
 * @module hublet
 */
// Handles can be disposed of by `using`; a consumer that targets an older library still knows the symbol.
/// <reference lib="esnext.disposable" />
export * from "./dist/hublet.js";
export { HubletError } from "./error.js";
