// Two hubs in two workerd processes share rooms, and what they hold outlives them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, Hub, saying } from "./support/hubs.js";

const types = (events) => events.map(({ event }) => event.type);

test("a room is made in order", async (t) => {
  const hub = await Hub.start(t);
  const room = await hub.createRoom({ name: "A room" });
  const events = await hub.timeline(room);
  assert.deepEqual(types(events), [
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.name",
  ]);
  assert.deepEqual(events.map(({ position }) => position), [0, 1, 2, 3, 4, 5]);
  for (const [index, { event }] of events.entries()) {
    assert.deepEqual(event.prev_events, index === 0 ? [] : [events[index - 1].event_id]);
  }
});

test("a participant joins, and both speak", async (t) => {
  const [hub, part] = [await Hub.start(t), await Hub.start(t)];
  const room = await hub.createRoom();
  await part.join(room, part.user("ann"), [hub.name]);
  await hub.say(room, hub.user("hal"), "from the hub");
  await part.shows(room, saying("from the hub"));
  await part.say(room, part.user("ann"), "from the participant");
  await hub.shows(room, saying("from the participant"));
  const echo = await part.shows(room, saying("from the participant"));
  assert.equal(echo.event.hub_server, hub.name);
  const ids = (await hub.timeline(room)).map(({ event_id }) => event_id);
  const theirs = (await part.timeline(room)).map(({ event_id }) => event_id);
  assert.deepEqual(theirs, ids.slice(-theirs.length), "one log, from the join on");
});

test("a private room is joined by invite", async (t) => {
  const [hub, part] = [await Hub.start(t), await Hub.start(t)];
  const room = await hub.createRoom({ public: false });
  const bob = part.user("bob");
  const uninvited = await part.operator("POST", `/rooms/${encodeURIComponent(room)}/members`, {
    user: bob,
    membership: "join",
    via: [hub.name],
  });
  assert.equal(uninvited.status, 403);
  await hub.must("POST", `/rooms/${encodeURIComponent(room)}/events`, {
    sender: hub.user("hal"),
    type: "m.room.member",
    state_key: bob,
    content: { membership: "invite" },
  });
  const pending = await part.must("GET", `/users/${encodeURIComponent(bob)}/invites`);
  assert.equal(pending.invites[0].room_id, room);
  assert.equal(pending.invites[0].hub, hub.name);
  await part.join(room, bob, [hub.name]);
  await part.say(room, bob, "thanks");
  await hub.shows(room, saying("thanks"));
});

test("rooms outlive a restart, and what was owed is delivered after it", async (t) => {
  const [hub, part] = [await Hub.start(t), await Hub.start(t)];
  const room = await hub.createRoom();
  await part.join(room, part.user("ann"), [hub.name]);
  await hub.say(room, hub.user("hal"), "before");
  await part.shows(room, saying("before"));

  await part.stop();
  await hub.say(room, hub.user("hal"), "while the participant was away");
  const before = await hub.timeline(room);
  await hub.stop();
  await part.resume();
  await hub.resume();
  assert.deepEqual(await hub.timeline(room), before);
  await eventually(
    async () => (await part.timeline(room)).some(saying("while the participant was away")),
    "what was owed",
    90_000,
  );
  await part.say(room, part.user("ann"), "after");
  await hub.shows(room, saying("after"));
});

test("what a participant sent while the hub was away is appended after its restart", async (t) => {
  const [hub, part] = [await Hub.start(t), await Hub.start(t)];
  const room = await hub.createRoom();
  await part.join(room, part.user("ann"), [hub.name]);
  await hub.stop();
  await part.say(room, part.user("ann"), "into the dark");
  await part.stop();
  await part.resume();
  await hub.resume();
  await eventually(async () => (await hub.timeline(room)).some(saying("into the dark")), "the pending event", 90_000);
});

test("a room moves to another hub when the old one consents", async (t) => {
  const [hub, part] = [await Hub.start(t), await Hub.start(t)];
  const room = await hub.createRoom({ hub_transfer: true });
  const path = (what) => `/rooms/${encodeURIComponent(room)}/${what}`;
  const ann = part.user("ann");
  await part.join(room, ann, [hub.name]);
  const levels = (await hub.timeline(room)).find(({ event }) => event.type === "m.room.power_levels").event.content;
  await hub.must("POST", path("events"), {
    sender: hub.user("hal"),
    type: "m.room.power_levels",
    state_key: "",
    content: { ...levels, users: { ...levels.users, [ann]: 100 } },
  });
  await part.shows(room, ({ event }) => event?.content.users?.[ann] === 100, "the new level");

  await hub.must("POST", path("transfer"), { to: part.name });
  await part.must("POST", path("events"), { sender: ann, type: "m.room.hub", state_key: "", content: {} });
  await part.shows(room, ({ event }) => event?.type === "m.room.hub", "the move");
  await hub.shows(room, ({ event }) => event?.type === "m.room.hub", "the move");
  await part.say(room, ann, "from the new hub");
  await hub.shows(room, saying("from the new hub"));
  await hub.say(room, hub.user("hal"), "from the old hub");
  const appended = await part.shows(room, saying("from the old hub"));
  assert.equal(appended.event.hub_server, part.name);
});
