// A participant that shares no code with the hub: it joins, sends, receives and reads over HTTP.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, Hub, saying } from "./support/hubs.js";
import { contentHash, eventId, isSigned, lpduOf, PFX, redact, Stranger } from "./support/stranger.js";

async function joined(t, options) {
  const hub = await Hub.start(t, options);
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom();
  const answer = await stranger.join(hub, room);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const keys = await stranger.raw(hub, "GET", "/_matrix/key/v2/server");
  return { hub, stranger, room, answer: answer.body, hubKey: keys.body.verify_keys["ed25519:1"].key };
}

/** Everything about a PDU that can be checked without the room. */
function check(pdu, { hub, hubKey, stranger }) {
  assert.equal(pdu.hashes.sha256, contentHash(pdu));
  assert.ok(isSigned(redact(pdu), pdu.signatures[hub.name]["ed25519:1"], hubKey), "signed by the hub");
  if (pdu.sender === stranger.user) {
    const signature = pdu.signatures[stranger.name]["ed25519:1"];
    assert.ok(isSigned(redact(lpduOf(pdu)), signature, stranger.publicKey), "signed by its sender");
  }
}

test("send_join answers with the state and the finished event", async (t) => {
  const there = await joined(t);
  const { state, auth_chain, event } = there.answer;
  for (const pdu of [...state, ...auth_chain, event]) check(pdu, there);
  assert.equal(event.sender, there.stranger.user);
  assert.equal(event.content.membership, "join");
  assert.deepEqual(state.map(({ type }) => type).slice(0, 2), ["m.room.create", "m.room.member"]);
  const log = await there.hub.timeline(there.room);
  assert.equal(log.at(-1).event_id, eventId(event));
});

test("an event sent is appended, comes back finished, and can be read", async (t) => {
  const there = await joined(t);
  const { hub, stranger, room } = there;
  const lpdu = stranger.message(hub, room, "hello");
  assert.deepEqual(await stranger.send(hub, [lpdu]), { status: 200, body: { failed_pdus: {} } });
  const echo = await eventually(() => stranger.received.find(({ content }) => content.body === "hello"), "the echo");
  check(echo, there);
  const id = eventId(echo);
  assert.equal((await hub.shows(room, saying("hello"))).event_id, id);

  const one = await stranger.request(hub, "GET", `${PFX}/event/${encodeURIComponent(id)}`);
  assert.deepEqual(one.body, echo);
  const rooms = encodeURIComponent(room);
  const state = await stranger.request(hub, "GET", `/_matrix/federation/v1/state/${rooms}?event_id=${encodeURIComponent(id)}`);
  assert.equal(state.status, 200);
  assert.ok(state.body.pdus.some(({ type, state_key }) => type === "m.room.member" && state_key === stranger.user));
  const history = await stranger.request(hub, "GET", `${PFX}/backfill/${rooms}?v=${encodeURIComponent(id)}&limit=3`);
  assert.equal(history.status, 200);
  const { pdus } = history.body;
  assert.equal(pdus.length, 3);
  assert.deepEqual(pdus.at(-1), echo);
  for (const [index, pdu] of pdus.slice(1).entries()) assert.deepEqual(pdu.prev_events, [eventId(pdus[index])]);
  for (const pdu of pdus) check(pdu, there);
});

test("a transaction sent again is answered alike and appends nothing", async (t) => {
  const { hub, stranger, room } = await joined(t);
  const pdus = [stranger.message(hub, room, "once"), { ...stranger.message(hub, room, "forged"), content: { body: "no" } }];
  const first = await stranger.send(hub, pdus, "again");
  assert.equal(Object.keys(first.body.failed_pdus).length, 1);
  const log = await hub.timeline(room);
  assert.deepEqual(await stranger.send(hub, pdus, "again"), first);
  // Known by what it holds, too, when it comes under another name.
  assert.deepEqual((await stranger.send(hub, [pdus[0]], "other")).body, { failed_pdus: {} });
  assert.deepEqual(await hub.timeline(room), log);

  await hub.stop();
  await hub.resume();
  assert.deepEqual(await stranger.send(hub, [pdus[0]], "other"), { status: 200, body: { failed_pdus: {} } });
  assert.deepEqual(await hub.timeline(room), log, "also after a restart");
});

test("fifty events of one transaction are appended in their order", async (t) => {
  const { hub, stranger, room } = await joined(t);
  const bodies = Array.from({ length: 50 }, (_, index) => `message ${index}`);
  const pdus = bodies.map((body) => stranger.message(hub, room, body));
  assert.deepEqual((await stranger.send(hub, pdus)).body, { failed_pdus: {} });
  const log = await hub.timeline(room);
  assert.deepEqual(log.slice(-50).map(({ event }) => event.content.body), bodies);
  await eventually(() => stranger.received.length >= 50, "fifty echoes");
  assert.deepEqual(stranger.received.slice(-50).map(({ content }) => content.body), bodies);
});

test("objects that were put away go on from their rows, and send nothing twice", async (t) => {
  const { hub, stranger, room } = await joined(t, { forgets: true });
  const bodies = () => stranger.received.map(({ content }) => content.body).filter(Boolean);
  await hub.say(room, hub.user("hal"), "one");
  await eventually(() => bodies().length === 1, "the first");
  // What the participant has is written after five seconds, and workerd puts objects away after ten.
  await sleep(17_000);
  await hub.say(room, hub.user("hal"), "two");
  await eventually(() => bodies().includes("two"), "the second");
  await sleep(1_000);
  assert.deepEqual(bodies(), ["one", "two"]);
});

test("a server that takes longer than most gets an event once", async (t) => {
  const { hub, stranger, room } = await joined(t);
  stranger.delay = 12_000;
  await hub.say(room, hub.user("hal"), "slowly");
  await eventually(() => stranger.answered === 1, "the answer");
  await sleep(1_000);
  assert.equal(stranger.received.filter(({ content }) => content.body === "slowly").length, 1);
  assert.equal(stranger.cutOff, 0);
});
