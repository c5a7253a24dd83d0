// The operator's interface: who may use it, and what it says when something is wrong.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Hub } from "./support/hubs.js";

const hub = await Hub.start({ after });
const room = encodeURIComponent(await hub.createRoom());

test("the version of the module", async () => {
  const { body } = await hub.operator("GET", "/version");
  assert.equal(body.name, "hublet");
  assert.match(body.version, /^\d+\.\d+\.\d+$/);
});

test("without the token nothing is told", async () => {
  const wrong = [{}, { authorization: "Bearer wrong" }, { authorization: `Basic ${hub.token}` }, { authorization: `Bearer ${hub.token}x` }];
  for (const headers of wrong) {
    for (const path of ["/version", "/rooms", "/nothing"]) {
      const { status, body } = await hub.operator("GET", path, undefined, headers);
      assert.deepEqual([status, body.errcode], [401, "M_FORBIDDEN"]);
    }
  }
});

const user = hub.user("hal");
const events = `/rooms/${room}/events`;
const members = `/rooms/${room}/members`;

const REFUSALS = [
  ["an unknown path", "GET", "/nothing", undefined, 404, "M_UNRECOGNIZED", /path/],
  ["a wrong method", "GET", "/rooms", undefined, 405, "M_UNRECOGNIZED", /POST/],
  ["no JSON", "POST", "/rooms", "{", 400, "M_NOT_JSON", /JSON/],
  ["no object", "POST", "/rooms", [], 400, "M_BAD_JSON", /object/],
  ["too large", "POST", events, { x: "x".repeat(140_000) }, 413, "M_TOO_LARGE", /large/],
  ["no creator", "POST", "/rooms", { public: true }, 400, "M_BAD_JSON", /`creator`.*@ann:/],
  ["a malformed creator", "POST", "/rooms", { creator: "hal", public: true }, 400, "M_INVALID_PARAM", /creator/],
  ["another server's creator", "POST", "/rooms", { creator: "@a:localhost:1", public: true }, 403, "M_FORBIDDEN", /ours/],
  ["no publicity", "POST", "/rooms", { creator: user }, 400, "M_BAD_JSON", /`public`/],
  ["a publicity that is none", "POST", "/rooms", { creator: user, public: "yes" }, 400, "M_BAD_JSON", /`public`.*true or false/],
  ["an unknown version", "POST", "/rooms", { creator: user, public: true, version: "11" }, 400, "M_INCOMPATIBLE_ROOM_VERSION", /I\.1/],
  ["no sender", "POST", events, { type: "m", content: {} }, 400, "M_BAD_JSON", /`sender`/],
  ["no type", "POST", events, { sender: user, content: {} }, 400, "M_BAD_JSON", /`type`/],
  ["no content", "POST", events, { sender: user, type: "m" }, 400, "M_BAD_JSON", /`content`/],
  ["a content that is no object", "POST", events, { sender: user, type: "m", content: [] }, 400, "M_BAD_JSON", /`content`.*object/],
  ["a float", "POST", events, { sender: user, type: "m", content: { x: 1.5 } }, 400, "M_BAD_JSON", /./],
  ["a sender who is not in the room", "POST", events, { sender: hub.user("x"), type: "m", content: {} }, 403, "M_FORBIDDEN", /not in the room/],
  ["a room that is not here", "POST", `/rooms/!x:${hub.name}/events`, { sender: user, type: "m", content: {} }, 404, "M_NOT_FOUND", /./],
  ["a malformed room", "POST", "/rooms/x/events", { sender: user, type: "m", content: {} }, 400, "M_INVALID_PARAM", /room/],
  ["a garbled path", "POST", "/rooms/%ff/events", { sender: user, type: "m", content: {} }, 400, "M_INVALID_PARAM", /path/],
  ["a membership that is none", "POST", members, { user: user, membership: "ban" }, 400, "M_BAD_JSON", /`membership`.*join/],
  ["a via that is no list", "POST", members, { user: user, membership: "join", via: "x" }, 400, "M_BAD_JSON", /`via`/],
  ["no server to move to", "POST", `/rooms/${room}/transfer`, {}, 400, "M_BAD_JSON", /`to`/],
  ["a page without end", "GET", `/rooms/${room}/timeline?from=x`, undefined, 400, "M_INVALID_PARAM", /`from`/],
  ["an empty page", "GET", `/rooms/${room}/timeline?limit=0`, undefined, 400, "M_INVALID_PARAM", /`limit`/],
  ["a malformed user", "GET", "/users/x/invites", undefined, 400, "M_INVALID_PARAM", /./],
];

for (const [name, method, path, body, status, errcode, error] of REFUSALS) {
  test(`${name}: ${status} ${errcode}`, async () => {
    const answer = await hub.operator(method, path, body);
    assert.deepEqual([answer.status, answer.body.errcode], [status, errcode], JSON.stringify(answer.body));
    assert.match(answer.body.error, error);
  });
}

test("a timeline comes in pages", async () => {
  const first = await hub.must("GET", `/rooms/${room}/timeline?from=0&limit=2`);
  const second = await hub.must("GET", `/rooms/${room}/timeline?from=2&limit=2`);
  assert.deepEqual([...first.events, ...second.events].map(({ position }) => position), [0, 1, 2, 3]);
});

test("consent to a move is for rooms that may move, and for servers that are in them", async () => {
  const movable = encodeURIComponent(await hub.createRoom({ hub_transfer: true }));
  const { events: log } = await hub.must("GET", `/rooms/${movable}/timeline`);
  assert.equal(log[0].event.content["hublet.hub_transfer"], true);
  for (const [id, error] of [[movable, /no user of that server/], [room, /hub_transfer/]]) {
    const { status, body } = await hub.operator("POST", `/rooms/${id}/transfer`, { to: "localhost:1" });
    assert.deepEqual([status, body.errcode], [403, "M_FORBIDDEN"]);
    assert.match(body.error, error);
  }
});
