// Every row of the endpoint table over HTTP, by a client that shares no code with the hub: its success, and each of its errors.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Hub } from "./support/hubs.js";
import { eventId, PFX, Stranger } from "./support/stranger.js";

const [V1, V2, V3] = ["v1", "v2", "v3"].map((version) => `/_matrix/federation/${version}`);
const VERSIONS = "ver=org.matrix.i-d.ralston-mimi-linearized-matrix.02&ver=I.1";
const NOWHERE = `$${"A".repeat(43)}`;
const encode = encodeURIComponent;

const hub = await Hub.start({ after });
const [stranger, outsider] = [await Stranger.start({ after }), await Stranger.start({ after })];
await hub.must("POST", `/users/${encode(hub.user("hal"))}/profile`, { field: "displayname", value: "Hal" });
const room = await hub.createRoom();
const open = await hub.createRoom();
const knocking = await hub.createRoom({ public: false });
await hub.must("POST", `/rooms/${encode(knocking)}/events`, { sender: hub.user("hal"), type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } });
assert.equal((await stranger.join(hub, room)).status, 200);
const last = (await hub.timeline(room)).at(-1);
const [hal, eve] = [hub.user("hal"), stranger.user];

/** Otherwise equal events have different times. */
let time = Date.now();
const member = (id, membership) =>
  stranger.lpdu(hub, { room_id: id, type: "m.room.member", state_key: eve, content: { membership }, origin_server_ts: (time += 1) });
/** An invite by a user of its own room's hub, for a new guest of ours. */
const invite = () => {
  const state_key = hub.user(`guest${(time += 1)}`);
  const fields = { room_id: `!theirs:${stranger.name}`, type: "m.room.member", state_key, content: { membership: "invite" }, hub_server: stranger.name };
  return { event: stranger.lpdu(hub, fields), room_version: "I.1", invite_room_state: [] };
};

/**
 * Method, path, body, the fields of a good answer, and what the row has:
 * `open` needs no X-Matrix; `body` must be a JSON object; `room` stands in the path, so it may be malformed or unknown.
 */
const rows = (id) => [
  ["GET", "/_matrix/key/v2/server", undefined, ["old_verify_keys", "server_name", "signatures", "valid_until_ts", "verify_keys"], { open: true }],
  ["GET", `/_matrix/key/v2/query/${stranger.name}`, undefined, ["server_keys"], { open: true }],
  ["POST", "/_matrix/key/v2/query", { server_keys: { [stranger.name]: {} } }, ["server_keys"], { open: true, body: true }],
  ["PUT", `${PFX}/send/c${id}`, { pdus: [], edus: [] }, ["failed_pdus"], { body: true }],
  ["PUT", `${V2}/send/d${id}`, { pdus: [], edus: [] }, ["failed_pdus"], { body: true }],
  ["GET", `${PFX}/event/${encode(last.event_id)}`, undefined, ["auth_events", "content", "hub_server", "prev_events"], { event: true }],
  ["GET", `${V2}/event/${encode(last.event_id)}`, undefined, ["auth_events", "content", "hub_server", "prev_events"], { event: true }],
  ["GET", `${V1}/state/${encode(room)}?event_id=${encode(last.event_id)}`, undefined, ["auth_chain", "pdus"], { room: true, event: true }],
  ["GET", `${V1}/state_ids/${encode(room)}?event_id=${encode(last.event_id)}`, undefined, ["auth_chain_ids", "pdu_ids"], { room: true, event: true }],
  ["GET", `${V1}/event_auth/${encode(room)}/${encode(last.event_id)}`, undefined, ["auth_chain"], { room: true, event: true }],
  ["GET", `${PFX}/backfill/${encode(room)}?v=${encode(last.event_id)}&limit=2`, undefined, ["pdus"], { room: true, event: true }],
  ["GET", `${V2}/backfill/${encode(room)}?v=${encode(last.event_id)}&limit=2`, undefined, ["pdus"], { room: true, event: true }],
  ["POST", `${PFX}/invite/c${id}`, invite(), ["event", "pdu"], { body: true }],
  ["POST", `${V3}/invite/d${id}`, invite(), ["event", "pdu"], { body: true }],
  ["GET", `${V1}/make_join/${encode(open)}/${encode(eve)}?${VERSIONS}`, undefined, ["event", "room_version"], { room: true, user: true, versions: true }],
  ["POST", `${PFX}/send_join/c${id}`, member(open, "join"), ["auth_chain", "event", "state"], { body: true }],
  ["GET", `${V1}/make_leave/${encode(open)}/${encode(eve)}`, undefined, ["event", "room_version"], { room: true, user: true }],
  ["POST", `${PFX}/send_leave/c${id}`, member(open, "leave"), [], { body: true }],
  ["POST", `${V3}/send_join/d${id}`, member(open, "join"), ["auth_chain", "event", "state"], { body: true }],
  ["POST", `${V3}/send_leave/d${id}`, member(open, "leave"), [], { body: true }],
  ["GET", `${V1}/make_knock/${encode(knocking)}/${encode(eve)}?${VERSIONS}`, undefined, ["event", "room_version"], { room: true, user: true, versions: true }],
  ["POST", `${PFX}/send_knock/c${id}`, member(knocking, "knock"), ["stripped_state"], { body: true }],
  ["POST", `${PFX}/send_leave/e${id}`, member(knocking, "leave"), [], { body: true }],
  ["POST", `${V3}/send_knock/d${id}`, member(knocking, "knock"), ["stripped_state"], { body: true }],
  ["POST", `${V1}/user/keys/claim`, { one_time_keys: {} }, ["one_time_keys"], { body: true }],
  ["POST", `${V1}/user/keys/query`, { device_keys: { [hal]: [] } }, ["device_keys"], { body: true }],
  ["GET", `${V1}/query/profile?user_id=${encode(hal)}`, undefined, ["displayname"], {}],
];

const ask = (from, method, uri, body, lies) => from.request(hub, method, uri, body, lies);
const codeOf = ({ status, body }) => [status, body.errcode];
const table = rows(1);

for (const [method, uri, body, fields] of table) {
  test(`${method} ${nameOf(uri)}: 200`, async () => {
    const { status, body: answer } = await ask(stranger, method, uri, body);
    assert.equal(status, 200, JSON.stringify(answer));
    for (const field of fields) assert.ok(Object.hasOwn(answer, field), `${field} of ${JSON.stringify(answer)}`);
  });
}

for (const [method, uri, body, , has] of table) {
  const [path, query = ""] = uri.split("?");
  const at = (changed) => (query === "" ? changed : `${changed}?${query}`);
  test(`${method} ${nameOf(uri)}: its errors`, async () => {
    const wrongMethod = method === "GET" ? "PUT" : "GET";
    assert.deepEqual(codeOf(await ask(stranger, wrongMethod, uri, wrongMethod === "GET" ? undefined : {})), [405, "M_UNRECOGNIZED"]);
    assert.deepEqual(codeOf(await ask(stranger, method, at(`${path}/`), body)), [404, "M_UNRECOGNIZED"], "a trailing slash");
    if (!has.open) {
      const text = body && JSON.stringify(body);
      assert.deepEqual(codeOf(await stranger.raw(hub, method, uri, text)), [401, "M_FORBIDDEN"], "no header");
      assert.deepEqual(codeOf(await ask(stranger, method, uri, body, { destination: "elsewhere.example" })), [401, "M_FORBIDDEN"]);
      assert.deepEqual(codeOf(await ask(stranger, method, uri, body, { sig: "A".repeat(86) })), [401, "M_FORBIDDEN"]);
    }
    if (has.body) {
      const authorization = stranger.authorization(hub, method, uri, {});
      assert.deepEqual(codeOf(await stranger.raw(hub, method, uri, "{", { authorization })), [400, "M_NOT_JSON"]);
      const fresh = has.open ? uri : uri.replace(/[cde]1$/, "f1");
      assert.deepEqual(codeOf(await ask(stranger, method, fresh, [])), [400, "M_BAD_JSON"], "no object");
      assert.deepEqual(codeOf(await ask(stranger, method, fresh.replace(/f1$/, "g1"), {})), [400, "M_BAD_JSON"], "nothing in it");
    }
    if (has.room) {
      const at = (id) => uri.replace(/![^/?]+/, id);
      assert.deepEqual(codeOf(await ask(stranger, method, at("nothing"), body)), [400, "M_INVALID_PARAM"], "a malformed room");
      assert.deepEqual(codeOf(await ask(stranger, method, at(encode(`!nothing:${hub.name}`)), body)), [404, "M_NOT_FOUND"], "an unknown room");
    }
    if (has.event) {
      assert.deepEqual(codeOf(await ask(stranger, method, uri.replace(encode(last.event_id), encode(NOWHERE)), body)), [404, "M_NOT_FOUND"]);
      assert.deepEqual(codeOf(await ask(stranger, method, uri.replace(encode(last.event_id), "x"), body)), [400, "M_INVALID_PARAM"]);
      assert.deepEqual(codeOf(await ask(outsider, method, uri, body)), [404, "M_NOT_FOUND"], "an outsider");
    }
    if (has.user) assert.deepEqual(codeOf(await ask(outsider, method, uri, body)), [403, "M_FORBIDDEN"], "another server's user");
    if (has.versions) assert.deepEqual(codeOf(await ask(stranger, method, uri.replace(VERSIONS, "ver=11"), body)), [400, "M_INCOMPATIBLE_ROOM_VERSION"]);
  });
}

const REFUSALS = [
  ["a join that is none", () => ask(stranger, "POST", `${PFX}/send_join/r1`, member(open, "leave")), 400, "M_BAD_JSON"],
  ["a join for another server's user", () => ask(outsider, "POST", `${PFX}/send_join/r2`, member(open, "join")), 403, "M_FORBIDDEN"],
  ["a knock where nobody may", () => ask(stranger, "POST", `${PFX}/send_knock/r3`, member(open, "knock")), 403, "M_FORBIDDEN"],
  ["a leave of somebody who is not there", () => ask(stranger, "POST", `${PFX}/send_leave/r4`, member(open, "leave")), 403, "M_FORBIDDEN"],
  ["a join of a room that is not here", () => ask(stranger, "POST", `${PFX}/send_join/r5`, member(`!nothing:${hub.name}`, "join")), 404, "M_NOT_FOUND"],
  ["an invite for nobody here", () => ask(stranger, "POST", `${PFX}/invite/r6`, { ...invite(), event: { ...invite().event, state_key: "@x:elsewhere.example" } }), 400, "M_WRONG_SERVER"],
  ["an invite that another server brings", () => ask(outsider, "POST", `${PFX}/invite/r7`, invite()), 403, "M_FORBIDDEN"],
  ["a device that is not there", () => ask(stranger, "GET", `${PFX}/user/${encode(hal)}/device/NONE`), 404, "M_NOT_FOUND"],
  ["the same at the stable path", () => ask(stranger, "GET", `${V1}/user/${encode(hal)}/device/NONE`), 404, "M_NOT_FOUND"],
  ["devices of a user without any", () => ask(stranger, "GET", `${V1}/user/devices/${encode(hal)}`), 404, "M_NOT_FOUND"],
  ["devices of another server's user", () => ask(stranger, "GET", `${V1}/user/devices/${encode(eve)}`), 404, "M_NOT_FOUND"],
  ["a profile without a user", () => ask(stranger, "GET", `${V1}/query/profile`), 400, "M_INVALID_PARAM"],
  ["a profile that is not here", () => ask(stranger, "GET", `${V1}/query/profile?user_id=${encode(hub.user("nobody"))}`), 404, "M_NOT_FOUND"],
  ["an alias that stands for nothing", () => ask(stranger, "GET", `${V1}/query/directory?room_alias=${encode(`#none:${hub.name}`)}`), 404, "M_NOT_FOUND"],
  ["media, which are not kept here", () => ask(stranger, "GET", `${V1}/media/download/x`), 404, "M_NOT_FOUND"],
  ["the small form of media", () => ask(stranger, "GET", `${V1}/media/thumbnail/x`), 404, "M_NOT_FOUND"],
];

for (const [name, send, status, errcode] of REFUSALS) {
  test(`${name}: ${status} ${errcode}`, async () => {
    const answer = await send();
    assert.deepEqual(codeOf(answer), [status, errcode], JSON.stringify(answer.body));
  });
}

test("a server that is reached at its name has no other place to name: 404 M_NOT_FOUND", async () => {
  assert.deepEqual(codeOf(await stranger.raw(hub, "GET", "/.well-known/matrix/server")), [404, "M_NOT_FOUND"]);
});

test("the log holds what the table did and nothing more", async () => {
  assert.equal((await hub.timeline(room)).at(-1).event_id, last.event_id);
  const steps = (await hub.timeline(open)).slice(5).map(({ event }) => event.content.membership);
  assert.deepEqual(steps, ["join", "leave", "join", "leave"]);
  assert.equal(eventId(last.event), last.event_id);
});

/** A path without what differs from run to run. */
function nameOf(uri) {
  return uri.replace(PFX, "…").split("?")[0].replace(/(!|%24|%40|localhost)[^/]*/g, ":id");
}
