// Requests to other servers. Names are `localhost:PORT`, reached over HTTP on this machine; a server elsewhere needs TLS and name look-up, which an example leaves out.

/** The longest wait for a whole answer; the core waits at most so long for the answer to a join. */
const LONGEST = 60_000;

/** The largest answer, in bytes: the state of a large room. */
const LARGEST = 32 << 20;

/**
 * @typedef {import("hublet").HttpRequest} HttpRequest
 * @typedef {import("hublet").HttpResponse} HttpResponse
 * @typedef {import("hublet").SendError} SendError
 */

/** An answer that is larger than we take. */
class TooLarge extends Error {}

/**
 * Sends a request and gives the whole answer, or why there is none. Redirects are not followed: an answer counts only from the server that was asked.
 * @param {string} server
 * @param {HttpRequest} request
 * @param {{ longest?: number, largest?: number }} [limits]
 * @returns {Promise<{ response: HttpResponse } | { error: SendError }>}
 */
export async function send(server, request, { longest = LONGEST, largest = LARGEST } = {}) {
  const url = urlOf(server, request.target);
  if (!url) return { error: "unreachable" };
  try {
    const answer = await fetch(url, {
      method: request.method,
      headers: request.headers,
      body: request.body.length > 0 ? request.body : undefined,
      redirect: "manual",
      signal: AbortSignal.timeout(longest),
    });
    return { response: { status: answer.status, body: await whole(answer, largest) } };
  } catch (error) {
    if (error instanceof TooLarge) return { error: "too_large" };
    return { error: wasNeverThere(error) ? "unreachable" : "timed_out" };
  }
}

/**
 * The request is signed over its target, so a target that the URL parser would write in another way is not sent.
 * @param {string} server
 * @param {string} target
 */
function urlOf(server, target) {
  if (!/^localhost:[0-9]{1,5}$/.test(server)) return undefined;
  try {
    const url = new URL(`http://${server}${target}`);
    return url.pathname + url.search === target ? url : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {globalThis.Response} answer
 * @param {number} largest
 */
async function whole(answer, largest) {
  const chunks = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > largest) throw new TooLarge();
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks, size));
}

/**
 * Whether there was no connection at all. After any other failure the request may have been dealt with.
 * @param {unknown} error
 */
function wasNeverThere(error) {
  const cause = error instanceof Error ? error.cause : undefined;
  const codes = cause instanceof AggregateError ? cause.errors.map((one) => one.code) : [/** @type {any} */ (cause)?.code];
  return codes.every((code) => ["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "EADDRNOTAVAIL"].includes(code));
}
