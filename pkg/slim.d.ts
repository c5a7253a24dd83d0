/// <reference lib="esnext.disposable" />
export * from "./dist/hublet.js";
export { default as init } from "./dist/hublet.js";
export { HubletError } from "./error.js";
