// What crosses a link, whatever carries it: frames of JSON. What is none is dropped.
import type { HttpRequest } from "hublet";

export type Frame =
  | { kind: "request"; id: string; to: string; from: string; method: string; target: string; headers: [string, string][]; body: string }
  | { kind: "taken"; id: string; to: string }
  | { kind: "response"; id: string; to: string; status: number; body: string }
  | { kind: "challenge"; from: string; nonce: string }
  | { kind: "proof"; header: string }
  | { kind: "gone"; from: string };

/** The longest frame over a socket, in characters, and the longest list of frames over HTTP, in bytes: a transaction and what is around it. */
export const MAX_FRAMES = 8 * 1024 * 1024;

/** The longest ID of a request, in characters: what answers it repeats it. */
const MAX_ID = 256;

export function isFrame(value: unknown): value is Frame {
  return typeof value === "object" && value !== null && "kind" in value && typeof value.kind === "string";
}

/** JSON as a value; nothing where it is none. */
export function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The request of a frame, if it is one. */
export function requestOf({ id, method, target, headers, body }: Extract<Frame, { kind: "request" }>): HttpRequest | undefined {
  const texts = [id, method, target, body];
  const areHeaders = Array.isArray(headers) && headers.every((header) => Array.isArray(header) && header.length === 2 && header.every((text) => typeof text === "string"));
  if (!areHeaders || !texts.every((text) => typeof text === "string")) return undefined;
  if (id.length > MAX_ID) return undefined;
  return { method, target, headers, body: new TextEncoder().encode(body) };
}
