export { HubletError } from "../error.js";
export type { ErrorCode } from "./module/hublet.js";
