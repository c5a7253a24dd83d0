// A server that lies about who it is, what others said, and whom it may speak to: each lie is refused with its code, logged with who told it, and counted, and
// nothing of it stays.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventually, Hub, saying } from "./support/hubs.js";
import { eventId, lpduOf, PFX, Stranger } from "./support/stranger.js";

const FEDERATION = "/_matrix/federation/v1";
const VERSION = "ver=org.matrix.i-d.ralston-mimi-linearized-matrix.02&ver=I.1";
const encode = encodeURIComponent;
const makeJoin = (room, user) => `${FEDERATION}/make_join/${encode(room)}/${encode(user)}?${VERSION}`;

const hub = await Hub.start({ after });
const part = await Hub.start({ after });
const [eve, mallory] = [await Stranger.start({ after }), await Stranger.start({ after })];
const room = await hub.createRoom();
await part.join(room, part.user("ann"), [hub.name]);
for (const stranger of [eve, mallory]) assert.equal((await stranger.join(hub, room)).status, 200);
await part.shows(room, ({ event }) => event?.sender === mallory.user);

/** How often each series of a hub has to have grown. */
const counted = new Map();

function count(target, series) {
  const of = counted.get(target) ?? new Map();
  counted.set(target, of.set(series, (of.get(series) ?? 0) + 1));
}

/** What became of one event: its code, and the rung and the rule that refused it, as they were logged. It left the log of the room alone. */
async function refused(target, sender, pdu, place = room) {
  const before = await target.operator("GET", `/rooms/${encode(place)}/timeline?from=0&limit=500`);
  target.lines.length = 0;
  const { status, body } = await sender.send(target, [pdu]);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(Object.keys(body.failed_pdus), [eventId(pdu)], JSON.stringify(body));
  assert.deepEqual(await target.operator("GET", `/rooms/${encode(place)}/timeline?from=0&limit=500`), before);
  const { errcode } = body.failed_pdus[eventId(pdu)];
  const line = await target.logged({ what: "event refused", event: eventId(pdu), origin: sender.name, errcode });
  assert.equal(line.machine, `room:${place}`);
  count(target, `hublet_events_refused_total{rung="${line.rung}",rule="${line.rule}"}`);
  return `${errcode} ${line.rung} ${line.rule}`;
}

/** A request that is refused: with this status and code, logged and counted. */
async function refusedRequest(target, stranger, endpoint, status, asking) {
  target.lines.length = 0;
  const answer = await asking;
  assert.deepEqual([answer.status, answer.body.errcode], [status, "M_FORBIDDEN"], JSON.stringify(answer));
  const line = await target.logged({ what: "request refused", endpoint, origin: stranger.name });
  assert.deepEqual([line.level, line.status, line.errcode, line.from], ["warn", status, "M_FORBIDDEN", "127.0.0.1"]);
  count(target, `hublet_requests_refused_total{endpoint="${endpoint}",errcode="M_FORBIDDEN"}`);
}

const message = (stranger, body, more) => stranger.lpdu(hub, { room_id: room, type: "m.room.message", content: { body }, ...more });

test("a forged sender: M_FORBIDDEN", async () => {
  for (const sender of [hub.user("hal"), part.user("ann"), eve.user]) {
    const lie = message(mallory, "I am somebody else", { sender });
    assert.equal(await refused(hub, mallory, lie), "M_FORBIDDEN admission ForeignSender");
  }
});

test("a signature by the wrong server: M_FORBIDDEN", async () => {
  const pdu = message(mallory, "signed by another", { sender: eve.user });
  const { [mallory.name]: signature } = pdu.signatures;
  assert.equal(await refused(hub, eve, { ...pdu, signatures: { [eve.name]: signature } }), "M_FORBIDDEN signatures SignatureWrong");
  assert.equal(await refused(hub, eve, { ...pdu, signatures: { [mallory.name]: signature } }), "M_FORBIDDEN signatures SignatureMissing");
});

test("another origin's event, whole or taken from the log: M_FORBIDDEN", async () => {
  assert.equal(await refused(hub, mallory, message(eve, "carried by another")), "M_FORBIDDEN admission ForeignSender");
  await eve.send(hub, [message(eve, "said once")]);
  const said = (await hub.shows(room, saying("said once"))).event;
  const { [eve.name]: signature } = said.signatures;
  assert.equal(await refused(hub, mallory, { ...lpduOf(said), signatures: { [eve.name]: signature } }), "M_FORBIDDEN admission ForeignSender");
});

test("a forged hub: M_FORBIDDEN, and the participant goes on with the real one", async () => {
  const head = (await part.timeline(room)).at(-1);
  const own = message(mallory, "I am the hub");
  const links = { prev_events: [head.event_id], auth_events: head.event.auth_events };
  const finished = mallory.signed({ ...own, ...links, hashes: { ...own.hashes, sha256: "A".repeat(43) }, signatures: undefined });
  assert.equal(await refused(part, mallory, finished), "M_FORBIDDEN admission NotTheHub");
  const said = (await hub.timeline(room)).at(-1).event;
  const before = await part.timeline(room);
  // What the real hub signed is not taken from anybody else either, known or not.
  const { body } = await mallory.send(part, [said]);
  assert.equal(Object.values(body.failed_pdus)[0]?.errcode, "M_FORBIDDEN", JSON.stringify(body));
  await part.logged({ what: "event refused", event: eventId(said), origin: mallory.name, rung: "admission", rule: "NotTheHub" });
  count(part, 'hublet_events_refused_total{rung="admission",rule="NotTheHub"}');
  assert.deepEqual(await part.timeline(room), before);
  await hub.say(room, hub.user("hal"), "from the real hub");
  await part.shows(room, saying("from the real hub"));
});

test("a participant that is sent an event for the hub: M_WRONG_SERVER and who the hub is", async () => {
  const pdu = message(eve, "to the wrong one");
  const { body } = await eve.send(part, [pdu]);
  const { errcode, hub_server } = body.failed_pdus[eventId(pdu)];
  await part.logged({ what: "event refused", event: eventId(pdu), origin: eve.name, rung: "admission", rule: "WrongHub", errcode });
  count(part, 'hublet_events_refused_total{rung="admission",rule="WrongHub"}');
  assert.deepEqual([errcode, hub_server], ["M_WRONG_SERVER", hub.name]);
});

test("a participant that sends finished events: M_BAD_JSON", async () => {
  const [create, last] = [(await hub.timeline(room))[0], (await hub.timeline(room)).at(-1)];
  const finished = message(eve, "finished", { prev_events: [last.event_id], auth_events: [create.event_id] });
  assert.equal(await refused(hub, eve, finished), "M_BAD_JSON schema Present");
});

test("a create event, for this room or another server's: refused", async () => {
  const create = (room_id) => eve.lpdu(hub, { room_id, type: "m.room.create", state_key: "", content: { room_version: "I.1" } });
  assert.equal(await refused(hub, eve, create(room)), "M_FORBIDDEN rules CreateNotFirst");
  for (const other of [`!new:${eve.name}`, `!new:${hub.name}`]) {
    assert.equal(await refused(hub, eve, create(other), other), "M_NOT_FOUND admission NoSuchRoom");
  }
});

test("a transaction sent again is answered alike, and a request taken from the wire fits nowhere else: 401", async () => {
  const content = { pdus: [message(eve, "only once")], edus: [] };
  const uri = `${PFX}/send/replayed`;
  const authorization = eve.authorization(hub, "PUT", uri, content);
  const send = (to, where, body = content) => eve.raw(to, "PUT", where, JSON.stringify(body), { authorization });
  assert.deepEqual(await send(hub, uri), { status: 200, body: { failed_pdus: {} } });
  const log = await hub.timeline(room);
  assert.deepEqual(await send(hub, uri), { status: 200, body: { failed_pdus: {} } });
  for (const [to, where, body] of [[hub, `${PFX}/send/other`], [part, uri], [hub, uri, { pdus: [], edus: [] }]]) {
    await refusedRequest(to, eve, "send", 401, send(to, where, body));
  }
  assert.deepEqual(await hub.timeline(room), log);
});

test("requests under another's name, for another server, under a key that no longer holds: 401", async (t) => {
  const stale = await Stranger.start(t);
  stale.keysHold = -1_000;
  const uri = makeJoin(room, eve.user);
  const cases = [
    [mallory, { origin: eve.name }],
    [eve, { destination: part.name }],
    [eve, { key: "ed25519:2" }],
    [eve, { origin: eve.name.toUpperCase() }],
    [stale, {}],
  ];
  for (const [stranger, lies] of cases) {
    const claimed = { name: lies.origin ?? stranger.name };
    await refusedRequest(hub, claimed, "make_join", 401, stranger.request(hub, "GET", uri, undefined, lies));
  }
});

test("an access control list holds whatever the port and the case: 403", async (t) => {
  // Its own name is another, so that it may deny every server of this machine.
  const guarded = await Hub.start(t, { name: "hub.example" });
  const inside = await Stranger.start(t);
  const place = await guarded.createRoom();
  assert.equal((await inside.join(guarded, place)).status, 200);
  const acl = { allow: ["*"], deny: ["LocalHost"], allow_ip_literals: false };
  await guarded.must("POST", `/rooms/${encode(place)}/events`, { sender: guarded.user("hal"), type: "m.room.server_acl", state_key: "", content: acl });
  const outside = await Stranger.start(t);
  for (const stranger of [inside, outside]) {
    await refusedRequest(guarded, stranger, "make_join", 403, stranger.request(guarded, "GET", makeJoin(place, stranger.user)));
  }
  const pdu = inside.message(guarded, place, "denied");
  assert.equal(await refused(guarded, inside, pdu, place), "M_FORBIDDEN admission ServerAcl");
  const last = (await guarded.timeline(place)).at(-1);
  assert.equal(last.event.type, "m.room.server_acl");
  const uri = `${FEDERATION}/state/${encode(place)}?event_id=${encode(last.event_id)}`;
  await refusedRequest(guarded, inside, "state", 403, inside.request(guarded, "GET", uri));
  // The room says why it refused the three requests, as it does for events.
  for (let request = 0; request < 3; request++) count(guarded, 'hublet_events_refused_total{rung="admission",rule="ServerAcl"}');
  await wereCounted(guarded);
});

test("answers lost after the event was taken, garbage, and errors: what is owed comes once a server is well", async (t) => {
  const lossy = await Stranger.start(t);
  const place = await hub.createRoom();
  assert.equal((await lossy.join(hub, place)).status, 200);
  for (const [number, fault] of ["cut", "garbage", "error"].entries()) {
    lossy.faults = [fault];
    await hub.say(place, hub.user("hal"), `fault ${number}`);
    await eventually(() => lossy.faults.length === 0, fault);
  }
  await eventually(() => [0, 1, 2].every((number) => lossy.received.some(({ content }) => content.body === `fault ${number}`)), "all of them", 90_000);
  const order = [...new Set(lossy.received.map(({ content }) => content.body).filter(Boolean))];
  assert.deepEqual(order, ["fault 0", "fault 1", "fault 2"]);
});

test("what was refused above was counted, each as often as it happened", async () => {
  assert.ok(counted.get(hub).size >= 8 && counted.get(part).size >= 2, "there is something to count");
  await wereCounted(hub);
  await wereCounted(part);
});

/** Counts are reported every two seconds. */
async function wereCounted(target) {
  const expected = [...counted.get(target)];
  const seen = await eventually(async () => {
    const metrics = await target.metrics();
    return expected.every(([series, times]) => metrics.get(series) >= times) && metrics;
  }, JSON.stringify(expected), 20_000);
  assert.deepEqual(expected.map(([series]) => [series, seen.get(series)]), expected);
}
