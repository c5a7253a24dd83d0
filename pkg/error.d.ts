import type { ErrorCode, Rung } from "./dist/hublet.js";

/** What everything in this package throws when it refuses: a code to act on, a message to read. */
export class HubletError extends Error {
  /** Made by the package. */
  constructor(code: ErrorCode, message: string, refusal?: { status?: number; errcode?: string; retryAfterMs?: number; rung?: Rung; rule?: string });
  /** What kind of error it is. */
  readonly name: "HubletError";
  /** What went wrong, by what a caller can do about it. */
  readonly code: ErrorCode;
  /** The HTTP status of a refusal by a server. */
  readonly status?: number;
  /** Its Matrix error code, such as `M_FORBIDDEN`. */
  readonly errcode?: string;
  /** When to come back, with the code `limited`. */
  readonly retryAfterMs?: number;
  /** Where on its way an event was refused, when this server refused it. */
  readonly rung?: Rung;
  /** The rule of that rung, one of a few names such as `InviteLevel`. */
  readonly rule?: string;
}
