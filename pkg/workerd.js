// The edge: the platform compiles the module when the worker is uploaded; here it is only started.
import module from "./dist/hublet_bg.wasm";
import { initSync } from "./dist/hublet.js";

initSync({ module });

export * from "./dist/hublet.js";
export { HubletError } from "./error.js";
