export * from "./dist/hublet.js";
export { HubletError } from "./error.js";
