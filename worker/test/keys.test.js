// The key document, checked without the core.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rotateKey } from "../hub.js";
import { newKey, oldKey } from "../keys.js";
import { built } from "./support/built.js";
import { Hub, saying } from "./support/hubs.js";
import { eventId, isSigned, redact, Stranger } from "./support/stranger.js";

const { readOldKeys, readSigningKey } = await built("keys");

test("the key document is signed by the key that it names", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const { status, body } = await stranger.raw(hub, "GET", "/_matrix/key/v2/server");
  assert.equal(status, 200);
  assert.equal(body.server_name, hub.name);
  assert.equal(body["m.linearized"], true);
  assert.ok(body.valid_until_ts > Date.now() + 3_600_000);
  const { key } = body.verify_keys["ed25519:1"];
  const signature = body.signatures[hub.name]["ed25519:1"];
  assert.ok(isSigned(body, signature, key));
  assert.ok(!isSigned({ ...body, server_name: "other.example" }, signature, key), "the check can fail");

  await hub.stop();
  await hub.resume();
  const again = await stranger.raw(hub, "GET", "/_matrix/key/v2/server");
  assert.equal(again.body.verify_keys["ed25519:1"].key, key, "a restart keeps the key");
});

test("another server's keys are vouched for", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const own = await stranger.raw(hub, "GET", "/_matrix/key/v2/server");
  const { status, body } = await stranger.raw(hub, "GET", `/_matrix/key/v2/query/${stranger.name}`);
  assert.equal(status, 200);
  const [document] = body.server_keys;
  assert.equal(document.server_name, stranger.name);
  assert.equal(document.verify_keys["ed25519:1"].key, stranger.publicKey);
  assert.ok(isSigned(document, document.signatures[stranger.name]["ed25519:1"], stranger.publicKey));
  assert.ok(isSigned(document, document.signatures[hub.name]["ed25519:1"], own.body.verify_keys["ed25519:1"].key));
});

/** Whether some key of the server, present or old, signed the event while it signed. */
function holds(event, server, document) {
  const signatures = Object.entries(event.signatures[server]);
  return signatures.some(([id, signature]) => {
    const { key } = document.verify_keys[id] ?? document.old_verify_keys[id] ?? {};
    const { expired_ts = Number.POSITIVE_INFINITY } = document.old_verify_keys[id] ?? {};
    return key !== undefined && event.origin_server_ts <= expired_ts && isSigned(redact(event), signature, key);
  });
}

test("after a rotation old events still hold, and new ones are signed with the new key", async (t) => {
  const [hub, part, late] = [await Hub.start(t), await Hub.start(t), await Hub.start(t)];
  const stranger = await Stranger.start(t);
  const document = async () => (await stranger.raw(hub, "GET", "/_matrix/key/v2/server")).body;
  const room = await hub.createRoom();
  await part.join(room, part.user("pat"), [hub.name]);
  await hub.say(room, hub.user("hal"), "before");
  await part.shows(room, saying("before"));
  const before = await document();

  await hub.stop();
  rotateKey(hub.data, hub.name);
  await hub.resume();
  const after = await document();
  assert.deepEqual(Object.keys(after.verify_keys), ["ed25519:2"]);
  assert.equal(after.old_verify_keys["ed25519:1"].key, before.verify_keys["ed25519:1"].key);
  assert.ok(after.old_verify_keys["ed25519:1"].expired_ts <= Date.now());
  assert.ok(isSigned(after, after.signatures[hub.name]["ed25519:2"], after.verify_keys["ed25519:2"].key));

  // A server that has just said its keys is not asked again within a minute; a restart forgets when that was.
  await part.stop();
  await part.resume();
  await hub.say(room, hub.user("hal"), "after");
  // The participant knows the old key only, and asks anew; who joins now asks for the first time.
  await part.shows(room, saying("after"));
  await part.say(room, part.user("pat"), "still talking");
  await hub.shows(room, saying("still talking"));
  await late.join(room, late.user("lou"), [hub.name]);
  await hub.say(room, hub.user("hal"), "welcome");
  await late.shows(room, saying("welcome"));

  const log = await hub.timeline(room);
  const signedWith = (body) => Object.keys(log.find(saying(body)).event.signatures[hub.name]);
  assert.deepEqual([signedWith("before"), signedWith("after")], [["ed25519:1"], ["ed25519:2"]]);
  for (const { event, event_id } of log) {
    assert.equal(eventId(event), event_id);
    assert.ok(holds(event, hub.name, after), JSON.stringify(event));
  }
  assert.ok(!holds(log.find(saying("after")).event, hub.name, before), "the check can fail");
});

test("a key file of the first form is brought to the present one, and keeps its key", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const key = async () => (await stranger.raw(hub, "GET", "/_matrix/key/v2/server")).body.verify_keys;
  const before = await key();
  await hub.stop();
  const path = join(hub.data, "key.json");
  const [key_id, seed] = JSON.parse(readFileSync(path, "utf8")).signing_key.split(" ");
  writeFileSync(path, JSON.stringify({ name: hub.name, key_id, seed }));
  await hub.resume();
  assert.deepEqual(await key(), before);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), { name: hub.name, signing_key: `${key_id} ${seed}`, old_keys: [] });
});

test("keys are read as they are written, and what is wrong is said without repeating it", () => {
  const key = newKey();
  const { keyId, seed } = readSigningKey(`${key}\n`);
  assert.equal(key, `${keyId} ${Buffer.from(seed).toString("base64")}`);
  const [id, publicKey, expired] = oldKey("ed25519:1 nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", 1_700_000_000_000).split(" ");
  // The first vector of RFC 8032, section 7.1.
  assert.deepEqual([id, publicKey, expired], ["ed25519:1", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "1700000000000"]);
  assert.deepEqual(readOldKeys(`${id} ${publicKey} 5,\n${id} ${publicKey} 6`).map(({ expiredAt }) => expiredAt), [5, 6]);
  assert.deepEqual(readOldKeys(undefined), []);
  const secret = Buffer.alloc(32, 7).toString("base64");
  for (const text of [undefined, "", secret, `rsa:1 ${secret}`, `ed25519:1 ${secret.slice(4)}`, `ed25519:1 ${secret} x`, "ed25519:1 ?"]) {
    assert.throws(() => readSigningKey(text), (error) => !error.message.includes(secret.slice(4, 20)), text);
  }
  for (const text of ["ed25519:1", "ed25519:1 x", "ed25519:1 x soon", "1 x 5", "ed25519:1 x 5 6", "ed25519:1 x -5"]) {
    assert.throws(() => readOldKeys(text), /HUBLET_OLD_KEYS/, text);
  }
});
