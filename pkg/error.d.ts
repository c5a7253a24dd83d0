import type { ErrorCode } from "./dist/hublet.js";

/** What everything in this package throws when it refuses: a code to act on, a message to read. */
export class HubletError extends Error {
  constructor(code: ErrorCode, message: string);
  readonly name: "HubletError";
  readonly code: ErrorCode;
}
