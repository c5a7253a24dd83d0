// Requests from other servers: read whole, within limits, and answered with what the core says.
import { createServer } from "node:http";

/** The largest body, in bytes: 50 events of the largest size, and room for messages to devices. */
const LARGEST = 8 << 20;

/** How long a sender may take to send its request. */
const LONGEST = 30_000;

/**
 * @typedef {import("hublet").HttpRequest} HttpRequest
 * @typedef {import("hublet").HttpResponse} HttpResponse
 */

/**
 * @typedef {object} Link
 * @property {number} port
 * @property {() => Promise<void>} close
 */

/**
 * Listens on this machine's loopback address. Without a handler yet, `answer` may be set later: requests are refused until then.
 * @param {number} port 0 for any free one
 * @param {(request: HttpRequest) => Promise<HttpResponse>} answer
 * @returns {Promise<Link>}
 */
export async function listen(port, answer) {
  const server = createServer({ requestTimeout: LONGEST }, (incoming, outgoing) => {
    /** @param {HttpResponse} response */
    const respond = ({ status, body }) => {
      outgoing.writeHead(status, { "content-type": "application/json", "content-length": body.length });
      outgoing.end(body);
    };
    serve(incoming, answer).then(respond, () => respond(refusal(500, "M_UNKNOWN", "this server failed; try again")));
  });
  await new Promise((resolve, reject) => {
    server.once("error", (error) => reject(explained(error, port)));
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * @param {import("node:http").IncomingMessage} incoming
 * @param {(request: HttpRequest) => Promise<HttpResponse>} answer
 * @returns {Promise<HttpResponse>}
 */
async function serve(incoming, answer) {
  const chunks = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    // The rest is read and dropped, so that the sender gets to read the answer.
    if (size <= LARGEST) chunks.push(chunk);
  }
  if (size > LARGEST) return refusal(413, "M_TOO_LARGE", `the body has more than ${LARGEST} bytes`);
  /** @type {[string, string][]} */
  const headers = [];
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) headers.push([incoming.rawHeaders[at], incoming.rawHeaders[at + 1]]);
  const body = new Uint8Array(Buffer.concat(chunks, size));
  return answer({ method: incoming.method ?? "GET", target: incoming.url ?? "/", headers, body });
}

/**
 * @param {number} status
 * @param {string} errcode
 * @param {string} error
 * @returns {HttpResponse}
 */
export function refusal(status, errcode, error) {
  return { status, body: new TextEncoder().encode(JSON.stringify({ errcode, error })) };
}

/**
 * @param {Error} error
 * @param {number} port
 */
function explained(error, port) {
  const { code } = /** @type {NodeJS.ErrnoException} */ (error);
  return code === "EADDRINUSE" ? new Error(`port ${port} is taken: end what listens there, or choose another with --port`) : error;
}
