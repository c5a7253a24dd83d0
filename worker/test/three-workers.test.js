// One hub and two participants, each a worker in workerd, and a stranger that sees what only passes by.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventually, Hub, saying } from "./support/hubs.js";
import { Stranger } from "./support/stranger.js";

const FEDERATION = "/_matrix/federation/v1";
const encode = encodeURIComponent;
const at = (room, what) => `/rooms/${encode(room)}/${what}`;

const hub = await Hub.start({ after });
const one = await Hub.start({ after });
const two = await Hub.start({ after });
const [hal, ann, bob] = [hub.user("hal"), one.user("ann"), two.user("bob")];

const membership = (user, is) => ({ event }) => event?.type === "m.room.member" && event.state_key === user && event.content.membership === is;
const send = (server, room, sender, type, content, state_key) =>
  server.must("POST", at(room, "events"), { sender, type, content, ...(state_key !== undefined && { state_key }) });
const setMember = (server, room, sender, target, is) => send(server, room, sender, "m.room.member", { membership: is }, target);
const own = (server, room, user, is, via = [hub.name]) => server.operator("POST", at(room, "members"), { user, membership: is, via });
const invitesOf = async (server, user) => (await server.must("GET", `/users/${encode(user)}/invites`)).invites;
const idsOf = async (server, room) => (await server.timeline(room)).map(({ event_id }) => event_id);

/** Gives a user of the hub a device, signed by its own key. */
async function addDevice(user) {
  const signer = await Stranger.start({ after });
  const unsigned = { device_id: "DEVICE", user_id: user, algorithms: ["m.olm.v1.curve25519-aes-sha2"], keys: { "ed25519:DEVICE": signer.publicKey } };
  const device = { ...unsigned, signatures: { [user]: { "ed25519:DEVICE": signer.sign(unsigned) } } };
  await hub.must("POST", `/users/${encode(user)}/devices`, { device });
  return device;
}

/** A private room of all three: the first participant invites the second. */
async function together(options = {}) {
  const room = await hub.createRoom({ public: false, ...options });
  await setMember(hub, room, hal, ann, "invite");
  await one.join(room, ann, [hub.name]);
  await setMember(one, room, ann, bob, "invite");
  await eventually(async () => (await invitesOf(two, bob)).some(({ room_id }) => room_id === room), "the invite");
  await two.join(room, bob, [hub.name]);
  await one.shows(room, membership(bob, "join"), "the second's join");
  return room;
}

test("an invite through a participant, and three who speak in one order", async () => {
  const room = await together();
  await Promise.all([hub.say(room, hal, "hub"), one.say(room, ann, "one"), two.say(room, bob, "two")]);
  for (const server of [hub, one, two]) for (const body of ["hub", "one", "two"]) await server.shows(room, saying(body), body);
  const whole = await idsOf(hub, room);
  for (const server of [one, two]) {
    const ids = await idsOf(server, room);
    assert.deepEqual(ids, whole.slice(-ids.length));
  }
});

test("an invite is rejected, and one that has a room only by invite is closed to others", async () => {
  const room = await hub.createRoom({ public: false });
  await setMember(hub, room, hal, bob, "invite");
  assert.equal((await own(two, room, bob, "leave")).status, 200);
  await hub.shows(room, membership(bob, "leave"), "the refusal");
  assert.ok(!(await invitesOf(two, bob)).some(({ room_id }) => room_id === room));
  const uninvited = await own(one, room, ann, "join");
  assert.deepEqual([uninvited.status, uninvited.body.errcode], [403, "M_FORBIDDEN"]);
});

test("a knock is let in, and one is turned away", async () => {
  const room = await hub.createRoom({ public: false });
  await send(hub, room, hal, "m.room.join_rules", { join_rule: "knock" }, "");
  for (const [server, user] of [[one, ann], [two, bob]]) {
    assert.equal((await own(server, room, user, "knock")).status, 200);
    await hub.shows(room, membership(user, "knock"), "the knock");
  }
  await setMember(hub, room, hal, ann, "invite");
  await eventually(async () => (await invitesOf(one, ann)).some(({ room_id }) => room_id === room), "the answer");
  await one.join(room, ann, [hub.name]);
  await setMember(hub, room, hal, bob, "leave");
  const still = await own(two, room, bob, "join");
  assert.equal(still.status, 403);
});

test("leave, kick, ban and back", async () => {
  const room = await together();
  assert.equal((await own(one, room, ann, "leave")).status, 200);
  await two.shows(room, membership(ann, "leave"), "the leave");
  await hub.say(room, hal, "behind the back");
  await two.shows(room, saying("behind the back"));
  assert.ok(!(await one.timeline(room)).some(saying("behind the back")), "who left hears no more");

  await setMember(hub, room, hal, bob, "leave");
  await two.shows(room, membership(bob, "leave"), "the kick");
  await setMember(hub, room, hal, bob, "ban");
  await setMember(hub, room, hal, ann, "invite");
  await one.join(room, ann, [hub.name]);
  const banned = await own(two, room, bob, "join");
  assert.deepEqual([banned.status, banned.body.errcode], [403, "M_FORBIDDEN"]);
  await setMember(hub, room, hal, bob, "leave");
  await setMember(hub, room, hal, bob, "invite");
  await two.join(room, bob, [hub.name]);
  await two.say(room, bob, "back");
  await one.shows(room, saying("back"));
});

test("a redaction takes the content everywhere", async () => {
  const room = await together();
  await one.say(room, ann, "regret");
  const { event_id } = await hub.shows(room, saying("regret"));
  await two.shows(room, saying("regret"));
  await send(one, room, ann, "m.room.redaction", { "hublet.redacts": event_id });
  for (const server of [hub, one, two]) {
    await server.shows(room, (entry) => entry.event_id === event_id && entry.event && entry.event.content.body === undefined, "the redacted event");
  }
});

test("profiles, device lists and key claims are asked between workers", async () => {
  const stranger = await Stranger.start({ after });
  await hub.must("POST", `/users/${encode(hal)}/profile`, { field: "displayname", value: "Hal" });
  const ask = (method, uri, body) => stranger.request(hub, method, `${FEDERATION}${uri}`, body);
  assert.deepEqual(await ask("GET", `/query/profile?user_id=${encode(hal)}`), { status: 200, body: { displayname: "Hal" } });
  assert.deepEqual((await ask("GET", `/query/profile?user_id=${encode(hal)}&field=displayname`)).body, { displayname: "Hal" });
  const none = await ask("GET", `/user/devices/${encode(hal)}`);
  assert.deepEqual([none.status, none.body.errcode], [404, "M_NOT_FOUND"]);

  const device = await addDevice(hal);
  const devices = await ask("GET", `/user/devices/${encode(hal)}`);
  assert.deepEqual(devices.body.devices, [{ device_id: "DEVICE", keys: device }]);
  assert.deepEqual((await ask("GET", `/user/${encode(hal)}/device/DEVICE`)).body, device);
  const keys = await ask("POST", "/user/keys/query", { device_keys: { [hal]: [] } });
  assert.deepEqual(keys.body.device_keys, { [hal]: { DEVICE: device } });

  const one = "signed_curve25519:1";
  await hub.must("POST", `/users/${encode(hal)}/keys`, { device: "DEVICE", keys: { [one]: { key: "x" } } });
  const claim = () => ask("POST", "/user/keys/claim", { one_time_keys: { [hal]: { DEVICE: "signed_curve25519", OTHER: "signed_curve25519" } } });
  assert.deepEqual(await claim(), { status: 200, body: { one_time_keys: { [hal]: { DEVICE: { [one]: { key: "x" } } } } } });
  assert.deepEqual((await claim()).body.one_time_keys, {}, "never twice");
});

test("a notary vouches for the other worker's keys", async () => {
  const stranger = await Stranger.start({ after });
  const direct = await stranger.raw(two, "GET", "/_matrix/key/v2/server");
  const { status, body } = await stranger.raw(one, "GET", `/_matrix/key/v2/query/${two.name}`);
  assert.equal(status, 200);
  assert.deepEqual(body.server_keys[0].verify_keys, direct.body.verify_keys);
  assert.deepEqual(Object.keys(body.server_keys[0].signatures).sort(), [one.name, two.name].sort());
  const many = await stranger.raw(one, "POST", "/_matrix/key/v2/query", JSON.stringify({ server_keys: { [two.name]: {}, [stranger.name]: {} } }));
  assert.deepEqual(many.body.server_keys.map(({ server_name }) => server_name).sort(), [two.name, stranger.name].sort());
});

test("messages to devices arrive once, typing and receipts pass through the hub", async () => {
  const stranger = await Stranger.start({ after });
  const room = await hub.createRoom();
  await one.join(room, ann, [hub.name]);
  assert.equal((await stranger.join(hub, room)).status, 200);
  await addDevice(hal);
  const content = { target: hal, target_device: "DEVICE", message_type: "m.test", message: { hello: "there" } };
  const edu = { type: "m.direct_to_device", sender: stranger.user, sender_id: stranger.user, content };
  for (const transaction of ["e1", "e1"]) {
    const uri = `/_matrix/federation/v2/send/${transaction}`;
    assert.equal((await stranger.request(hub, "PUT", uri, { pdus: [], edus: [edu] })).status, 200);
  }
  const got = await eventually(async () => {
    const { messages } = await hub.must("GET", `/users/${encode(hal)}/messages?device=DEVICE`);
    return messages.length > 0 && messages;
  }, "the message");
  assert.equal(got.length, 1);
  assert.match(JSON.stringify(got[0].message), /"hello":"there"/);
  const lie = { ...edu, sender: ann, sender_id: ann };
  await stranger.request(hub, "PUT", "/_matrix/federation/v2/send/e2", { pdus: [], edus: [lie] });
  assert.equal((await hub.must("GET", `/users/${encode(hal)}/messages?device=DEVICE`)).messages.length, 1, "not in another's name");

  const last = (await one.timeline(room)).at(-1).event_id;
  await one.must("POST", at(room, "typing"), { user: ann, typing: true });
  await one.must("POST", at(room, "read"), { user: ann, event_id: last });
  const seen = (type) => stranger.edus.find(({ edu_type }) => edu_type === type);
  await eventually(() => seen("m.typing") && seen("m.receipt"), "typing and receipt");
  assert.deepEqual(seen("m.typing").content, { room_id: room, user_id: ann, typing: true });
  assert.ok(JSON.stringify(seen("m.receipt").content).includes(last));
});

test("a server that the list denies is out, and the other stays", async (t) => {
  // Named otherwise, so that the list can deny what is on this machine.
  const guarded = await Hub.start(t, { name: "hub.example" });
  const stranger = await Stranger.start(t);
  const room = await guarded.createRoom();
  assert.equal((await stranger.join(guarded, room)).status, 200);
  await guarded.must("POST", at(room, "events"), {
    sender: guarded.user("hal"),
    type: "m.room.server_acl",
    state_key: "",
    content: { allow: ["*.example"], deny: [] },
  });
  const pdu = stranger.message(guarded, room, "still here?");
  const { body } = await stranger.send(guarded, [pdu]);
  assert.deepEqual(Object.values(body.failed_pdus).map(({ errcode }) => errcode), ["M_FORBIDDEN"]);
  await guarded.say(room, guarded.user("hal"), "among us");
});

test("a room moves to a participant, and the other participant moves with it", async () => {
  const room = await together({ hub_transfer: true });
  const levels = (await hub.timeline(room)).find(({ event }) => event.type === "m.room.power_levels").event.content;
  await send(hub, room, hal, "m.room.power_levels", { ...levels, users: { ...levels.users, [ann]: 100 } }, "");
  await one.shows(room, ({ event }) => event?.content.users?.[ann] === 100, "the new level");
  await hub.must("POST", at(room, "transfer"), { to: one.name });
  await send(one, room, ann, "m.room.hub", {}, "");
  for (const server of [hub, one, two]) await server.shows(room, ({ event }) => event?.type === "m.room.hub", "the move");
  await Promise.all([hub.say(room, hal, "old hub"), one.say(room, ann, "new hub"), two.say(room, bob, "moved along")]);
  for (const server of [hub, one, two]) for (const body of ["old hub", "new hub", "moved along"]) await server.shows(room, saying(body), body);
  const { event } = await two.shows(room, saying("moved along"));
  assert.equal(event.hub_server, one.name);
  const whole = await idsOf(one, room);
  const theirs = await idsOf(two, room);
  assert.deepEqual(theirs, whole.slice(-theirs.length));
});
