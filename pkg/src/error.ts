export { HubletError } from "../error.js";
