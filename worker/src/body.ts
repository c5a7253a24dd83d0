// Bodies come from strangers: no more of them is read than somebody will use.

/** The largest body of a request from another server, in bytes; the peer machine's own limit. */
export const MAX_BODY = 4 * 1024 * 1024;

/** Reads a body; nothing when it is longer than `limit`. */
export async function readBytes(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array | undefined> {
  if (body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > limit) return undefined;
    parts.push(part);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
