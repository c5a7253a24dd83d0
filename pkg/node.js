// Node: the module is read from disk and ready when this file has been imported.
import { readFileSync } from "node:fs";
import { initSync } from "./dist/hublet.js";

initSync({ module: readFileSync(new URL("./dist/hublet_bg.wasm", import.meta.url)) });

export * from "./dist/hublet.js";
export { HubletError } from "./error.js";
