// Strangers are limited by their address, servers by what they ask for.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { get } from "node:http";
import { json } from "node:stream/consumers";
import { test } from "node:test";
import { built } from "./support/built.js";
import { Hub } from "./support/hubs.js";
import { Stranger } from "./support/stranger.js";

const { Flood } = await built("flood");

test("an address has its allowance and earns it back", () => {
  const flood = new Flood();
  for (let number = 0; number < 300; number++) {
    assert.equal(flood.wait("a", undefined, 0), 0);
    flood.charge("a", 0);
  }
  assert.equal(flood.wait("a", undefined, 0), 100);
  assert.equal(flood.wait("b", undefined, 0), 0, "another address has its own");
  assert.equal(flood.wait("a", undefined, 50), 50);
  assert.equal(flood.wait("a", undefined, 100), 0);
  flood.charge("a", 100);
  assert.equal(flood.wait("a", undefined, 100), 100);
  assert.equal(flood.wait("a", undefined, -5_000), 100, "a clock that is set back locks nobody out for longer");
});

test("a server that has proven itself is let through beside forgers", () => {
  const flood = new Flood();
  flood.proved("known.example");
  for (let number = 0; number < 400; number++) flood.charge("a", 0);
  assert.equal(flood.wait("a", "known.example", 0), 0);
  assert.notEqual(flood.wait("a", "unknown.example", 0), 0);
});

test("memory has an end", () => {
  const flood = new Flood();
  for (let number = 0; number < 10_001; number++) flood.proved(`${number}.example`);
  for (let number = 0; number < 300; number++) flood.charge("a", 0);
  assert.equal(flood.wait("a", "10000.example", 0), 0);
  assert.notEqual(flood.wait("a", "0.example", 0), 0, "the oldest goes first");
});

test("over HTTP: a flood of strangers is told to wait, and who is known goes on", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom();
  assert.equal((await stranger.join(hub, room)).status, 200);
  let limited;
  for (let round = 0; round < 40 && limited === undefined; round++) {
    const answers = await Promise.all(Array.from({ length: 25 }, () => stranger.raw(hub, "GET", "/_matrix/key/v2/server")));
    limited = answers.find(({ status }) => status === 429);
  }
  assert.equal(limited?.body.errcode, "M_LIMIT_EXCEEDED");
  assert.ok(limited.body.retry_after_ms >= 1 && limited.body.retry_after_ms <= 1_000, JSON.stringify(limited.body));
  assert.equal((await stranger.send(hub, [stranger.message(hub, room, "still here")])).status, 200);
  assert.equal((await hub.operator("GET", "/version")).status, 200);
});

test("over HTTP: sockets are opened by strangers too", async (t) => {
  const hub = await Hub.start(t);
  const open = () =>
    new Promise((resolve, reject) => {
      const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": randomBytes(16).toString("base64") };
      const asking = get(new URL(`/_hublet/link?server=${"a".repeat(52)}.key.invalid`, hub.url), { headers, agent: false });
      asking.on("upgrade", (_, socket) => resolve((socket.destroy(), { status: 101 })));
      asking.on("response", async (answer) => resolve({ status: answer.statusCode, body: await json(answer) }));
      asking.on("error", reject);
    });
  assert.equal((await open()).status, 101);
  let limited;
  for (let round = 0; round < 40 && limited === undefined; round++) {
    limited = (await Promise.all(Array.from({ length: 25 }, open))).find(({ status }) => status !== 101);
  }
  assert.deepEqual([limited?.status, limited?.body.errcode], [429, "M_LIMIT_EXCEEDED"]);
  assert.ok(limited.body.retry_after_ms >= 1 && limited.body.retry_after_ms <= 1_000, JSON.stringify(limited.body));
  assert.equal((await hub.operator("GET", "/version")).status, 200);
});

test("over HTTP: a server that asks for too much is told to wait", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom();
  const joined = await stranger.join(hub, room);
  const id = encodeURIComponent(Object.keys(joined.body).length > 0 ? (await hub.timeline(room)).at(-1).event_id : "");
  const uri = `/_matrix/federation/v1/state/${encodeURIComponent(room)}?event_id=${id}`;
  let limited;
  for (let round = 0; round < 60 && limited === undefined; round++) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => stranger.request(hub, "GET", uri)));
    for (const { status } of answers) assert.ok(status === 200 || status === 429, `${status}`);
    limited = answers.find(({ status }) => status === 429);
  }
  assert.equal(limited?.body.errcode, "M_LIMIT_EXCEEDED");
  assert.ok(limited.body.retry_after_ms >= 1 && limited.body.retry_after_ms <= 100_000, JSON.stringify(limited.body));
  assert.equal((await stranger.send(hub, [stranger.message(hub, room, "what it sends is another matter")])).status, 200);
});
