// A participant written for the tests alone, on node:crypto and JSON: it shares no code with what it tests.
import { createHash, generateKeyPairSync, sign, verify, createPublicKey } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export const PFX = "/_matrix/federation/unstable/org.matrix.i-d.ralston-mimi-linearized-matrix.02";

export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(",")}}`;
}

export const base64 = (bytes) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

function without(object, ...names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

const sha256 = (value) => createHash("sha256").update(canonical(value)).digest();

const KEPT = ["type", "room_id", "sender", "state_key", "content", "origin_server_ts", "hashes", "signatures", "prev_events", "auth_events", "hub_server"];

/** Redaction as far as these tests send and receive events. */
export function redact(event) {
  const kept = Object.fromEntries(Object.entries(event).filter(([name]) => KEPT.includes(name)));
  const keys = {
    "m.room.create": Object.keys(event.content),
    "m.room.member": ["membership"],
    "m.room.join_rules": ["join_rule", "allow"],
    "m.room.power_levels": ["ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default"],
    "m.room.history_visibility": ["history_visibility"],
  }[event.type];
  kept.content = Object.fromEntries(Object.entries(event.content).filter(([name]) => keys?.includes(name)));
  return kept;
}

export function eventId(event) {
  return `$${sha256(without(redact(event), "signatures", "unsigned")).toString("base64url")}`;
}

/** The LPDU that a finished event was made from. */
export function lpduOf(event) {
  return { ...without(event, "auth_events", "prev_events"), hashes: { lpdu: event.hashes.lpdu } };
}

export function contentHash(event) {
  const hashes = event.hashes.lpdu && { hashes: { lpdu: event.hashes.lpdu } };
  return base64(sha256({ ...without(event, "signatures", "unsigned", "hashes"), ...hashes }));
}

/** Whether a key, as it stands in key documents, signed the object. */
export function isSigned(object, signature, key) {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key, "base64")]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  return verify(null, Buffer.from(canonical(without(object, "signatures"))), publicKey, Buffer.from(signature, "base64"));
}

export class Stranger {
  #server;
  #pair = generateKeyPairSync("ed25519");
  #transactions = 0;
  /** PDUs that hubs sent here, in order. */
  received = [];
  /** What else hubs sent here. */
  edus = [];
  /** What becomes of the answers to the next transactions: `cut`, `garbage` or `error`. */
  faults = [];
  /** How long our keys hold, in milliseconds. */
  keysHold = 3_600_000;
  /** The event that let us in. */
  joined;
  /** How long transactions wait for their answer, in milliseconds; how many got it, and how many gave up. */
  delay = 0;
  answered = 0;
  cutOff = 0;
  /** Set to give nobody an answer but 404. */
  isSilent = false;

  /** Listens on a free port until the test ends. */
  static async start(test) {
    const stranger = new this();
    stranger.#server = createServer((request, response) => stranger.#serve(request, response));
    await new Promise((resolve) => stranger.#server.listen(0, "127.0.0.1", resolve));
    test.after(() => {
      stranger.#server.closeAllConnections();
      stranger.#server.close();
    });
    stranger.name = `localhost:${stranger.#server.address().port}`;
    stranger.user = `@eve:${stranger.name}`;
    return stranger;
  }

  get publicKey() {
    return base64(Buffer.from(this.#pair.publicKey.export({ format: "jwk" }).x, "base64url"));
  }

  sign(object) {
    return base64(sign(null, Buffer.from(canonical(object)), this.#pair.privateKey));
  }

  signed(object) {
    const signature = this.sign(without(object, "signatures"));
    return { ...object, signatures: { [this.name]: { "ed25519:1": signature } } };
  }

  /** An event for the hub to put in order. */
  lpdu(hub, fields) {
    const event = { sender: this.user, origin_server_ts: Date.now(), hub_server: hub.name, ...fields };
    event.hashes = { lpdu: { sha256: base64(sha256(event)) } };
    const { signatures } = this.signed(redact(event));
    return { ...event, signatures };
  }

  message(hub, room_id, body) {
    return this.lpdu(hub, { room_id, type: "m.room.message", content: { msgtype: "m.text", body } });
  }

  /** The header that proves who asks. `lies` replace what it says. */
  authorization(hub, method, uri, content, lies = {}) {
    const said = { origin: this.name, destination: hub.name, key: "ed25519:1", ...lies };
    const { origin, destination } = said;
    const sig = lies.sig ?? this.sign({ method, uri, origin, destination, ...(content !== undefined && { content }) });
    return `X-Matrix origin="${origin}",destination="${destination}",key="${said.key}",sig="${sig}"`;
  }

  /** Sends a request: status and parsed answer. */
  async request(hub, method, uri, content, lies) {
    return this.raw(hub, method, uri, content === undefined ? undefined : JSON.stringify(content), {
      authorization: this.authorization(hub, method, uri, content, lies),
    });
  }

  async raw(hub, method, uri, body, headers = {}) {
    const answer = await fetch(new URL(uri, hub.url), {
      method,
      headers: { ...FRESH, "content-type": "application/json", ...headers },
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(30_000),
    });
    return { status: answer.status, body: await answer.json() };
  }

  send(hub, pdus, transaction = `t${(this.#transactions += 1)}`) {
    return this.request(hub, "PUT", `${PFX}/send/${transaction}`, { pdus, edus: [] });
  }

  /** Sends a transaction until it is answered, as a server does: the same one each time. */
  async sendUntilAnswered(hub, pdus, transaction = `t${(this.#transactions += 1)}`) {
    for (let wait = 20; ; wait = Math.min(wait * 2, 500)) {
      const answer = await this.send(hub, pdus, transaction).catch(() => undefined);
      if (answer !== undefined && answer.status < 500) return answer;
      await sleep(wait);
    }
  }

  /** Joins a room by template: the answer to send_join. */
  async join(hub, room) {
    const version = "ver=org.matrix.i-d.ralston-mimi-linearized-matrix.02&ver=I.1";
    const path = `${encodeURIComponent(room)}/${encodeURIComponent(this.user)}`;
    const made = await this.request(hub, "GET", `/_matrix/federation/v1/make_join/${path}?${version}`);
    if (made.status !== 200) return made;
    const { room_id, type, state_key, content } = made.body.event;
    const answer = await this.request(hub, "POST", `${PFX}/send_join/j1`, this.lpdu(hub, { room_id, type, state_key, content }));
    if (answer.status === 200) this.joined = eventId(answer.body.event);
    return answer;
  }

  /** Takes what a hub sent. */
  receive(pdus) {
    this.received.push(...pdus);
  }

  async #serve(request, response) {
    const parts = [];
    try {
      for await (const part of request) parts.push(part);
    } catch (error) {
      // Its hub was killed in the middle of it, and will send it again.
      if (!request.complete) return;
      throw error;
    }
    const answer = this.isSilent ? undefined : this.#answer(request.url, parts);
    if (request.method === "PUT" && this.faults.length > 0) return fail(response, this.faults.shift());
    if (request.method === "PUT") await sleep(this.delay);
    if (response.destroyed) this.cutOff += 1;
    if (request.method === "PUT") this.answered += 1;
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { errcode: "M_UNRECOGNIZED", error: "a stranger does not do that" }));
  }

  #answer(url, parts) {
    if (url === "/_matrix/key/v2/server") {
      return this.signed({
        server_name: this.name,
        valid_until_ts: Date.now() + this.keysHold,
        verify_keys: { "ed25519:1": { key: this.publicKey } },
        old_verify_keys: {},
        "m.linearized": true,
      });
    }
    if (url.startsWith(`${PFX}/send/`)) {
      const { pdus, edus } = JSON.parse(Buffer.concat(parts));
      this.receive(pdus);
      this.edus.push(...(edus ?? []));
      return { failed_pdus: {} };
    }
    return undefined;
  }
}

/** Spoils an answer to what was taken. */
function fail(response, fault) {
  if (fault === "cut") return response.destroy();
  response.writeHead(fault === "error" ? 500 : 200, { "content-type": "application/json" });
  response.end(fault === "error" ? "{}" : "<html>");
}
import { FRESH } from "./fresh.js";
