// What the hub sends to other servers: where to, how long, how much.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { Hub } from "./support/hubs.js";
import { Stranger } from "./support/stranger.js";

const PROFILE = "/_matrix/federation/v1/query/profile?user_id=";

/** A server that answers requests for its keys in a way of its own; what it was asked. */
async function serverOf(test, answer) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => (server.closeAllConnections(), server.close()));
  return { name: `localhost:${server.address().port}`, asked };
}

/** Whether the hub believes somebody whose keys it has to get from that server first. */
async function claim(t, hub, origin) {
  const stranger = await Stranger.start(t);
  const uri = `${PROFILE}${encodeURIComponent(hub.user("hal"))}`;
  const started = Date.now();
  const { status } = await stranger.request(hub, "GET", uri, undefined, { origin });
  return { status, took: Date.now() - started };
}

test("redirects are not followed", async (t) => {
  const hub = await Hub.start(t);
  const elsewhere = await serverOf(t, (_, response) => response.end("{}"));
  const redirecting = await serverOf(t, (request, response) => {
    response.writeHead(302, { location: `http://${elsewhere.name}${request.url}` });
    response.end();
  });
  assert.equal((await claim(t, hub, redirecting.name)).status, 401);
  assert.deepEqual(redirecting.asked, ["/_matrix/key/v2/server"]);
  assert.deepEqual(elsewhere.asked, []);
});

test("an answer that never ends is cut off", async (t) => {
  const hub = await Hub.start(t);
  let sent = 0;
  const endless = await serverOf(t, (_, response) => {
    const chunk = Buffer.alloc(1 << 20, " ");
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    response.on("drain", more);
    more();
  });
  const { status, took } = await claim(t, hub, endless.name);
  assert.equal(status, 401);
  assert.ok(took < 30_000, `${took} ms`);
  // Nothing more is taken than the limit and what lies in buffers between.
  const before = sent;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(sent, before, "the connection is closed");
  assert.ok(sent < 60 << 20, `${sent} bytes`);
});

test("a server that does not answer costs five seconds", async (t) => {
  const hub = await Hub.start(t);
  const silent = await serverOf(t, () => {});
  const { status, took } = await claim(t, hub, silent.name);
  assert.equal(status, 401);
  assert.ok(took >= 4_900 && took < 25_000, `${took} ms`);
  assert.equal((await claim(t, hub, silent.name)).status, 401);
  assert.equal(silent.asked.length, 1, "it is left alone for a while");
});
