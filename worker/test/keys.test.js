// The key document, checked without the core.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub } from "./support/hubs.js";
import { isSigned, Stranger } from "./support/stranger.js";

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
