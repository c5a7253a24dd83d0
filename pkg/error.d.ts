import type { ErrorCode } from "./dist/hublet.js";

/** What everything in this package throws when it refuses: a code to act on, a message to read. */
export class HubletError extends Error {
  constructor(code: ErrorCode, message: string, refusal?: { status?: number; errcode?: string; retryAfterMs?: number });
  readonly name: "HubletError";
  readonly code: ErrorCode;
  /** The HTTP status of a refusal by a server. */
  readonly status?: number;
  /** Its Matrix error code, such as `M_FORBIDDEN`. */
  readonly errcode?: string;
  /** When to come back, with the code `limited`. */
  readonly retryAfterMs?: number;
}
