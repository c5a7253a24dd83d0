// Each malformed request and event over HTTP: the exact status and code, nothing appended, nothing lost.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FRESH } from "./support/fresh.js";
import { Hub } from "./support/hubs.js";
import { eventId, PFX, Stranger } from "./support/stranger.js";

const FEDERATION = "/_matrix/federation/v1";
const NOWHERE = "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const encode = encodeURIComponent;

const hub = await Hub.start({ after });
const stranger = await Stranger.start({ after });
const room = await hub.createRoom();
const privateRoom = await hub.createRoom({ public: false });
assert.equal((await stranger.join(hub, room)).status, 200);
const log = await hub.timeline(room);

const get = (uri, lies) => () => stranger.request(hub, "GET", uri, undefined, lies);
const ask = (method, uri, content, lies) => () => stranger.request(hub, method, uri, content, lies);

/** A body that is no JSON value that could be signed as it stands. */
const garbled = (body) => () =>
  stranger.raw(hub, "PUT", `${PFX}/send/garbled`, body, {
    authorization: stranger.authorization(hub, "PUT", `${PFX}/send/garbled`, {}),
  });

const makeJoin = (id, version = "I.1") => `${FEDERATION}/make_join/${encode(id)}/${encode(stranger.user)}?ver=${version}`;
const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);

const REQUESTS = [
  ["an unknown path", get("/_matrix/federation/v1/nothing"), 404, "M_UNRECOGNIZED"],
  ["a path outside Matrix", get("/"), 404, "M_UNRECOGNIZED"],
  ["a trailing slash", get("/_matrix/key/v2/server/"), 404, "M_UNRECOGNIZED"],
  ["a wrong method", ask("POST", `${PFX}/send/t`, {}), 405, "M_UNRECOGNIZED"],
  ["a wrong method at the key endpoint", ask("PUT", "/_matrix/key/v2/server", {}), 405, "M_UNRECOGNIZED"],
  ["no header", () => stranger.raw(hub, "PUT", `${PFX}/send/t`, '{"pdus":[]}'), 401, "M_FORBIDDEN"],
  ["another scheme", () => stranger.raw(hub, "GET", makeJoin(room), undefined, { authorization: "Bearer x" }), 401, "M_FORBIDDEN"],
  ["a malformed header", () => stranger.raw(hub, "GET", makeJoin(room), undefined, { authorization: "X-Matrix origin" }), 401, "M_FORBIDDEN"],
  ["another destination", get(makeJoin(room), { destination: "localhost:1" }), 401, "M_FORBIDDEN"],
  ["a wrong signature", get(makeJoin(room), { sig: "A".repeat(86) }), 401, "M_FORBIDDEN"],
  ["a malformed signature", get(makeJoin(room), { sig: "?" }), 401, "M_FORBIDDEN"],
  ["an unknown key", get(makeJoin(room), { key: "ed25519:2" }), 401, "M_FORBIDDEN"],
  ["an origin that cannot be reached", get(makeJoin(room), { origin: "localhost:1" }), 401, "M_FORBIDDEN"],
  ["an origin that is us", get(makeJoin(room), { origin: hub.name }), 401, "M_FORBIDDEN"],
  ["no body", ask("PUT", `${PFX}/send/t`), 400, "M_NOT_JSON"],
  ["no JSON", garbled("{"), 400, "M_NOT_JSON"],
  ["bad UTF-8", garbled(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), 400, "M_NOT_JSON"],
  ["a duplicate key", garbled('{"pdus":[],"pdus":[]}'), 400, "M_NOT_JSON"],
  ["a lone surrogate", garbled('{"pdus":[{"a":"\\ud800"}]}'), 400, "M_NOT_JSON"],
  ["a number beyond all bounds", garbled('{"pdus":[{"a":1e999}]}'), 400, "M_NOT_JSON"],
  ["100,000 brackets", garbled(nested(100_000)), 400, "M_NOT_JSON"],
  ["an array", ask("PUT", `${PFX}/send/t`, []), 400, "M_BAD_JSON"],
  ["no PDUs", ask("PUT", `${PFX}/send/t`, {}), 400, "M_BAD_JSON", /`pdus`/],
  ["51 PDUs", ask("PUT", `${PFX}/send/t`, { pdus: Array(51).fill({}) }), 400, "M_BAD_JSON", /`pdus`/],
  ["101 EDUs", ask("PUT", `${PFX}/send/t`, { pdus: [], edus: Array(101).fill({}) }), 400, "M_BAD_JSON", /`edus`/],
  ["a body of more than 4 MiB", garbled(Buffer.alloc(4 * 1024 * 1024 + 1, " ")), 413, "M_TOO_LARGE"],
  ["the same without a length", () => streamed(4 * 1024 * 1024 + 1), 413, "M_TOO_LARGE"],
  ["a list of keys of more than 64 KiB", () => stranger.raw(hub, "POST", "/_matrix/key/v2/query", " ".repeat(65_537)), 413, "M_TOO_LARGE"],
  ["a list of keys that is no JSON", () => stranger.raw(hub, "POST", "/_matrix/key/v2/query", "{"), 400, "M_NOT_JSON"],
  ["an unknown room", get(makeJoin(`!nothing:${hub.name}`)), 404, "M_NOT_FOUND"],
  ["a malformed room", get(makeJoin("nothing")), 400, "M_INVALID_PARAM"],
  ["a malformed event ID", get(`${FEDERATION}/event_auth/${encode(room)}/x`), 400, "M_INVALID_PARAM"],
  ["no event named", get(`${FEDERATION}/state/${encode(room)}`), 400, "M_INVALID_PARAM"],
  ["an event of nowhere", get(`${PFX}/event/${encode(NOWHERE)}`), 404, "M_NOT_FOUND"],
  ["state of a room that one is not in", get(`${FEDERATION}/state/${encode(privateRoom)}?event_id=${encode(NOWHERE)}`), 404, "M_NOT_FOUND"],
  ["history of a room that one is not in", get(`${PFX}/backfill/${encode(privateRoom)}?v=${encode(NOWHERE)}&limit=9`), 404, "M_NOT_FOUND"],
  ["a join of a private room", get(makeJoin(privateRoom, "org.matrix.i-d.ralston-mimi-linearized-matrix.02")), 403, "M_FORBIDDEN"],
  ["a join for another server's user", get(`${FEDERATION}/make_join/${encode(room)}/${encode(hub.user("x"))}?ver=I.1`), 403, "M_FORBIDDEN"],
  ["a join without our version", get(makeJoin(room, "11")), 400, "M_INCOMPATIBLE_ROOM_VERSION"],
  ["an invite to nobody here", () => invite("localhost:1"), 400, "M_WRONG_SERVER"],
];

/** A body whose length is not said beforehand. */
function streamed(length) {
  const chunk = new Uint8Array(65_536).fill(0x20);
  const body = new ReadableStream({
    pull(controller) {
      if (length <= 0) return controller.close();
      controller.enqueue(chunk.subarray(0, Math.min(length, chunk.length)));
      length -= chunk.length;
    },
  });
  const uri = `${PFX}/send/streamed`;
  return fetch(new URL(uri, hub.url), {
    method: "PUT",
    body,
    duplex: "half",
    headers: { ...FRESH, authorization: stranger.authorization(hub, "PUT", uri, {}) },
    signal: AbortSignal.timeout(30_000),
  }).then(async (answer) => ({ status: answer.status, body: await answer.json() }));
}

function invite(hubServer) {
  const state_key = "@x:localhost:2";
  const event = stranger.lpdu(hub, { room_id: room, type: "m.room.member", state_key, content: { membership: "invite" }, hub_server: hubServer });
  return stranger.request(hub, "POST", `${PFX}/invite/t`, { event, room_version: "I.1" });
}

for (const [name, send, status, errcode, error = /./] of REQUESTS) {
  test(`${name}: ${status} ${errcode}`, async () => {
    const answer = await send();
    assert.deepEqual([answer.status, answer.body.errcode], [status, errcode], JSON.stringify(answer.body));
    assert.match(answer.body.error, error);
  });
}

const message = (content = { body: "bad" }, fields = {}) => stranger.lpdu(hub, { room_id: room, type: "m.room.message", content, ...fields });

/** Events that spoil only themselves: how each is made, and what `failed_pdus` says of it. */
const EVENTS = [
  ["a changed content", () => ({ ...message(), content: { body: "changed" } }), "M_FORBIDDEN"],
  ["a forged signature", () => ({ ...message(), signatures: { [stranger.name]: { "ed25519:1": "A".repeat(86) } } }), "M_FORBIDDEN"],
  ["no signature", () => ({ ...message(), signatures: {} }), "M_FORBIDDEN"],
  ["an event for another hub", () => message(undefined, { hub_server: "localhost:1" }), "M_WRONG_SERVER"],
  ["an event of a room that is not here", () => message(undefined, { room_id: `!nothing:${hub.name}` }), "M_NOT_FOUND"],
  ["an event of a room that one is not in", () => message(undefined, { room_id: privateRoom }), "M_NOT_FOUND"],
  ["another server's user", () => message(undefined, { sender: "@hal:localhost:1" }), "M_FORBIDDEN"],
  ["a finished PDU", () => ({ ...message(), prev_events: [log.at(-1).event_id], auth_events: [log[0].event_id] }), "M_BAD_JSON"],
  ["an event beyond 65,536 bytes", () => message({ body: "x".repeat(66_000) }), "M_TOO_LARGE"],
  ["what the sender may not do", () => message({ name: "mine" }, { type: "m.room.name", state_key: "" }), "M_FORBIDDEN"],
  ["a float", () => message({ number: 1.5 }), "M_BAD_JSON"],
  ["an integer beyond 2^53 - 1", () => message({ number: 2 ** 53 }), "M_BAD_JSON"],
];

for (const [name, make, errcode] of EVENTS) {
  test(`${name}: ${errcode}, and the event beside it is taken`, async () => {
    const [bad, good] = [make(), message({ body: name })];
    const { status, body } = await stranger.send(hub, [bad, good]);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(Object.keys(body.failed_pdus), [eventId(bad)], JSON.stringify(body));
    assert.equal(body.failed_pdus[eventId(bad)].errcode, errcode, JSON.stringify(body));
    const [last] = (await hub.timeline(room)).slice(-1);
    assert.equal(last.event.content.body, name);
  });
}

test("every X-Matrix header must hold", async () => {
  const uri = makeJoin(room, "org.matrix.i-d.ralston-mimi-linearized-matrix.02");
  const right = stranger.authorization(hub, "GET", uri);
  const wrong = stranger.authorization(hub, "GET", uri, undefined, { sig: "A".repeat(86) });
  const ask = (...headers) => stranger.raw(hub, "GET", uri, undefined, { authorization: headers.join(", ") });
  assert.equal((await ask(right, right)).status, 200);
  assert.equal((await ask(right, wrong)).status, 401);
  assert.equal((await ask(wrong, right)).status, 401);
});

test("1.0 and -0 are refused although their values are integers", async () => {
  for (const literal of ["1.0", "-0", "1e0"]) {
    const lpdu = message({ number: 1 });
    const text = JSON.stringify({ pdus: [lpdu] }).replace('"number":1', `"number":${literal}`);
    const uri = `${PFX}/send/literal${literal}`;
    const authorization = stranger.authorization(hub, "PUT", uri, JSON.parse(text));
    const { status, body } = await stranger.raw(hub, "PUT", uri, text, { authorization });
    assert.equal(status, 200, JSON.stringify(body));
    const id = eventId(JSON.parse(text).pdus[0]);
    assert.equal(body.failed_pdus[id]?.errcode, "M_BAD_JSON", JSON.stringify(body));
  }
});

test("nothing but the good events was appended", async () => {
  const now = await hub.timeline(room);
  assert.deepEqual(now.slice(0, log.length), log);
  assert.deepEqual(now.slice(log.length).map(({ event }) => event.content.body), EVENTS.map(([name]) => name));
  assert.equal((await hub.timeline(privateRoom)).length, 5);
});
