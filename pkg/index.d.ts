export * from "./dist/hublet.js";
