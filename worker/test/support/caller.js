// A server without an address that links to hubs over HTTP: on node:crypto, fetch and JSON alone, as whoever reads docs/LINKS.md would write it.
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { canonical } from "./stranger.js";
import { FRESH } from "./fresh.js";

const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";

function base32(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g).map((five) => LETTERS[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}

export class Caller {
  #pair = generateKeyPairSync("ed25519");
  name = `${base32(Buffer.from(this.#pair.publicKey.export({ format: "jwk" }).x, "base64url"))}.key.invalid`;
  /** How many frames were sent, and the number of the last that came. */
  sent = 0;
  heard = 0;

  constructor(hub) {
    this.hub = hub;
  }

  /** The X-Matrix header for a request to the hub. */
  authorization(uri, method = "GET") {
    const [origin, destination] = [this.name, this.hub.name];
    const signature = sign(null, Buffer.from(canonical({ method, uri, origin, destination })), this.#pair.privateKey);
    return `X-Matrix origin="${origin}",destination="${destination}",key="ed25519:key",sig="${signature.toString("base64").replace(/=+$/, "")}"`;
  }

  /** A POST as it is: status, parsed answer, headers. */
  async post(body, session = this.session, server = this.name) {
    const query = new URLSearchParams({ server, ...(session && { session }) });
    const answer = await fetch(new URL(`/_hublet/link?${query}`, this.hub.url), {
      method: "POST",
      headers: FRESH,
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    return { status: answer.status, body: await answer.json(), headers: answer.headers };
  }

  /** Begins a session: the challenge. */
  async begin() {
    this.session = undefined;
    const { status, body } = await this.post("");
    if (status !== 200) throw new Error(`no session: ${status} ${JSON.stringify(body)}`);
    [this.session, this.sent, this.heard] = [body.session, 0, 1];
    return body.frames[0];
  }

  /** Sends the next frames. */
  async send(...frames) {
    const answer = await this.post({ heard: this.heard, first: this.sent + 1, frames });
    this.sent += frames.length;
    return answer;
  }

  prove({ nonce }) {
    return { kind: "proof", header: this.authorization(`/_hublet/link/${nonce}`) };
  }

  /** Begins a session and proves who we are. */
  async connect() {
    const answer = await this.send(this.prove(await this.begin()));
    if (answer.status !== 200) throw new Error(`not proved: ${answer.status} ${JSON.stringify(answer.body)}`);
    return this;
  }

  /** The hub's next frames. */
  async next() {
    const { status, body } = await this.post({ heard: this.heard, first: this.sent + 1, frames: [] });
    if (status !== 200) throw new Error(`no frames: ${status} ${JSON.stringify(body)}`);
    this.heard = body.first + body.frames.length - 1;
    return body.frames;
  }

  /** The hub's frames up to one of that kind: that one. */
  async until(kind) {
    for (;;) {
      const found = (await this.next()).find((frame) => frame.kind === kind);
      if (found) return found;
    }
  }

  /** A request of ours, for what anybody may ask. */
  request(id, target = "/_matrix/key/v2/server") {
    return { kind: "request", id, to: this.hub.name, from: this.name, method: "GET", target, headers: [], body: "" };
  }

  /** Has the hub ask us something, for a room that is not there: what its operator is told in the end. */
  beAsked() {
    const room = encodeURIComponent(`!${randomUUID()}:${this.name}`);
    return this.hub.operator("POST", `/rooms/${room}/members`, { user: this.hub.user("hal"), membership: "join", via: [this.name] });
  }
}
