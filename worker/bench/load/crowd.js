// A room with many servers in it, made as a log and imported: that many joins, each sent to all before it, would take longer than what is to be measured.
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { base64, canonical, contentHash, eventId, PFX, redact } from "../../test/support/stranger.js";

const VERSION = "org.matrix.i-d.ralston-mimi-linearized-matrix.02";

/** Servers that share a key and a count, each on a port of its own. */
export class Crowd {
  #pair = generateKeyPairSync("ed25519");
  #servers = [];
  /** How many servers were sent an event of that body, and the signatures that it bore. */
  #body;
  #reached = 0;
  #signatures = new Set();
  #all;

  static async start(test, size) {
    const crowd = new Crowd();
    for (let number = 0; number < size; number++) {
      const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => crowd.#serve(server, request, response));
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      crowd.#servers.push(server);
    }
    test.after(() => crowd.#servers.forEach((server) => (server.closeAllConnections(), server.close())));
    return crowd;
  }

  get names() {
    return this.#servers.map(nameOf);
  }

  /** Resolves when every server was sent an event of that body: the signatures of all its copies. */
  async reached(body) {
    [this.#body, this.#reached] = [body, 0];
    this.#signatures.clear();
    await new Promise((resolve) => (this.#all = resolve));
    return this.#signatures;
  }

  async #serve(server, request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    response.setHeader("content-type", "application/json");
    if (request.url.startsWith(`${PFX}/send/`)) this.#receive(JSON.parse(Buffer.concat(parts)).pdus);
    response.end(request.url.startsWith(`${PFX}/send/`) ? '{"failed_pdus":{}}' : JSON.stringify(this.#keys(nameOf(server))));
  }

  #receive(pdus) {
    const found = pdus.find(({ content }) => content.body === this.#body);
    if (this.#body === undefined || found === undefined) return;
    this.#signatures.add(JSON.stringify(found.signatures));
    this.#reached += 1;
    if (this.#reached === this.#servers.length) this.#all();
  }

  #keys(name) {
    const key = base64(Buffer.from(this.#pair.publicKey.export({ format: "jwk" }).x, "base64url"));
    const document = { server_name: name, valid_until_ts: Date.now() + 3_600_000, verify_keys: { "ed25519:1": { key } }, old_verify_keys: {}, "m.linearized": true };
    return { ...document, signatures: { [name]: { "ed25519:1": this.#sign(document) } } };
  }

  #sign(object) {
    return base64(sign(null, Buffer.from(canonical(object)), this.#pair.privateKey));
  }

  /** The log of a room that the hub made and that a user of every server has joined, as lines. */
  log(hub, room) {
    const [, seed] = JSON.parse(readFileSync(join(hub.data, "key.json"), "utf8")).signing_key.split(" ");
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(seed, "base64")]);
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const signByHub = (object) => base64(sign(null, Buffer.from(canonical(object)), key));
    const hal = hub.user("hal");
    const events = [];
    const append = (sender, type, state_key, content, auth, isForeign) => {
      const opened = { room_id: room, sender, type, state_key, content, origin_server_ts: Date.now() };
      const lpdu = isForeign ? foreign({ ...opened, hub_server: hub.name }) : { ...opened, signatures: {} };
      const links = { auth_events: auth, prev_events: events.length === 0 ? [] : [events.at(-1).id] };
      const event = { ...lpdu, ...links };
      event.hashes = { ...lpdu.hashes, sha256: contentHash({ ...event, hashes: lpdu.hashes ?? {} }) };
      const { signatures: _, ...unsigned } = redact(event);
      event.signatures = { ...lpdu.signatures, [hub.name]: { "ed25519:1": signByHub(unsigned) } };
      events.push({ id: eventId(event), line: JSON.stringify(event) });
      return events.at(-1).id;
    };
    const foreign = (event) => {
      event.hashes = { lpdu: { sha256: contentHash({ ...event, hashes: {} }) } };
      const server = event.sender.slice(event.sender.indexOf(":") + 1);
      return { ...event, signatures: { [server]: { "ed25519:1": this.#sign(redact(event)) } } };
    };
    const create = append(hal, "m.room.create", "", { room_version: VERSION }, []);
    const creator = append(hal, "m.room.member", hal, { membership: "join" }, [create]);
    const levels = append(hal, "m.room.power_levels", "", { users: { [hal]: 100 } }, [create, creator]);
    const rules = append(hal, "m.room.join_rules", "", { join_rule: "public" }, [create, creator, levels]);
    for (const name of this.names) {
      append(`@eve:${name}`, "m.room.member", `@eve:${name}`, { membership: "join" }, [create, levels, rules], true);
    }
    return events.map(({ line }) => `${line}\n`).join("");
  }
}

const nameOf = (server) => `localhost:${server.address().port}`;
