// Browsers: the module is fetched from beside this file and ready when this file has been imported.
import init from "./dist/hublet.js";

await init({ module_or_path: new URL("./dist/hublet_bg.wasm", import.meta.url) });

export * from "./dist/hublet.js";
export { HubletError } from "./error.js";
