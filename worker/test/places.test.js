// What is kept in KV of other servers: where they are reached, and what we said as their notary.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub } from "./support/hubs.js";
import { built } from "./support/built.js";
import { isSigned, Stranger } from "./support/stranger.js";

const { Places } = await built("places");

/** KV as the platform shows it, in memory. */
class Kv {
  rows = new Map();
  lives = [];

  async get(key, form) {
    const text = this.rows.get(key) ?? null;
    return form === "json" && text !== null ? JSON.parse(text) : text;
  }

  async put(key, text, { expirationTtl }) {
    if (expirationTtl < 60) throw new Error("KV refuses lives below 60 seconds");
    this.lives.push(expirationTtl);
    this.rows.set(key, text);
  }
}

const place = (seconds) => ({ base: "https://there.example:8448", until: Date.now() + seconds * 1_000 });

test("a place is found while it is believed", async () => {
  const kv = new Kv();
  const places = new Places(kv);
  await places.keep("Hub.example", place(3_600));
  assert.equal((await places.find("hub.example")).base, "https://there.example:8448");
  assert.equal(await places.find("other.example"), undefined);
  assert.ok(kv.lives[0] > 3_590 && kv.lives[0] <= 3_600);
  kv.rows.set("place:hub.example", JSON.stringify(place(-1)));
  assert.equal(await places.find("hub.example"), undefined, "KV forgets late");
  kv.rows.set("place:hub.example", '{"base":1}');
  assert.equal(await places.find("hub.example"), undefined, "what is no place is none");
});

test("what is believed for less than a minute is not kept", async () => {
  const kv = new Kv();
  await new Places(kv).keep("hub.example", place(50));
  assert.equal(kv.rows.size, 0);
});

test("without KV, and with one that fails, servers are looked up again", async (t) => {
  const warned = t.mock.method(console, "warn", () => {});
  const failing = { get: () => Promise.reject(new Error("down")), put: () => Promise.reject(new Error("down")) };
  for (const kv of [undefined, failing]) {
    const places = new Places(kv);
    await places.keep("hub.example", place(3_600));
    assert.equal(await places.find("hub.example"), undefined);
  }
  assert.equal(warned.mock.callCount(), 2);
});

test("a notary's answer is given again while the document in it holds", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const query = `/_matrix/key/v2/query/${stranger.name}`;
  const first = await stranger.raw(hub, "GET", query);
  assert.equal(first.status, 200);
  stranger.isSilent = true;
  // The object of the stranger keeps the document too, so what is asked of it tells nothing: this is another hub over the same KV.
  const other = await hub.restartWithoutObjects();
  const again = await stranger.raw(other, "GET", query);
  assert.deepEqual(again, first);
  const [document] = again.body.server_keys;
  assert.ok(isSigned(document, document.signatures[stranger.name]["ed25519:1"], stranger.publicKey));
  const later = await stranger.raw(other, "GET", `${query}?minimum_valid_until_ts=${document.valid_until_ts + 1}`);
  assert.deepEqual([later.status, later.body.server_keys], [200, []], "one that must hold longer is looked up");
});
