// Wherever the module is brought in another way: nothing here works before `initSync` or `init` has it.
export * from "./dist/hublet.js";
export { default as init } from "./dist/hublet.js";
export { HubletError } from "./error.js";
