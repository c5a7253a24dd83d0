// A participant and a hub in one process, over real HTTP: the hub is a participant that made the room.
import assert from "node:assert/strict";
import { test } from "node:test";
import { allPassed } from "../participant/checks.js";
import { RoomList } from "../participant/room-list.js";
import { ids, Listener } from "./support.js";

const ALARMS = ["warning", "failed"];

function assertCalm(...listeners) {
  for (const listener of listeners) assert.deepEqual(listener.told.filter(({ type }) => ALARMS.includes(type)), []);
}

test("a user joins a public room, hears and is heard, and every line has passed every check", async (context) => {
  const hub = await Listener.start(context, "hal");
  const ann = await Listener.start(context, "ann");
  const room = await hub.participant.create({ isPublic: true, name: "Lobby" });
  await hub.participant.say(room, "before");
  await ann.participant.join(room, [hub.name]);
  await hub.participant.say(room, "good morning");
  await ann.participant.say(room, "good morning to you");
  for (const listener of [hub, ann]) for (const body of ["good morning", "good morning to you"]) await listener.hears(body);

  const echo = await ann.hears("good morning to you");
  assert.equal(echo.event.sender, ann.user);
  assert.equal(echo.event.hub_server, hub.name);
  assert.deepEqual(echo.checks, { schema: "passed", hash: "passed", sender: "passed", hub: "passed", rules: "passed", chain: "passed" });
  const earlier = await ann.hears("before");
  assert.equal(earlier.isHistory, true);
  assert.deepEqual(earlier.checks, echo.checks);
  for (const fact of ann.of("event")) assert.ok(allPassed(fact.checks, fact.position === 0 ? ["chain"] : []), JSON.stringify(fact));
  assert.deepEqual(await ids(ann, room), await ids(hub, room));
  assertCalm(hub, ann);
});

test("an invited user joins a private room, an uninvited one does not", async (context) => {
  const [hub, ann, bob] = await Promise.all(["hal", "ann", "bob"].map((user) => Listener.start(context, user)));
  const room = await hub.participant.create({ isPublic: false });
  await assert.rejects(ann.participant.join(room, [hub.name]), /403 M_FORBIDDEN/);
  await hub.participant.invite(room, ann.user);
  await ann.until("invited", ({ type, roomId, sender }) => type === "invited" && roomId === room && sender === hub.user);
  await ann.participant.join(room);
  await ann.participant.invite(room, bob.user);
  await bob.until("invited", ({ type, sender }) => type === "invited" && sender === ann.user);
  await bob.participant.join(room);
  await bob.participant.say(room, "thank you");
  await Promise.all([hub, ann, bob].map((listener) => listener.hears("thank you")));
  for (const listener of [hub, ann, bob]) assert.ok(await listener.participant.settle(5_000), "all that was said was seen again");
  assert.deepEqual(await bob.participant.invites(), []);
  assert.deepEqual(await bob.participant.rooms(), [{ roomId: room, membership: "join" }]);
  for (const listener of [ann, bob]) assert.deepEqual(await ids(listener, room), await ids(hub, room));
  assertCalm(hub, ann, bob);
});

test("an invite that is taken back is told of", async (context) => {
  const hub = await Listener.start(context, "hal");
  const ann = await Listener.start(context, "ann");
  const room = await hub.participant.create({ isPublic: false });
  await hub.participant.invite(room, ann.user);
  await ann.until("invited", ({ type }) => type === "invited");
  await hub.participant.remove(room, ann.user);
  await ann.until("the end of the invite", ({ type, roomId }) => type === "inviteEnded" && roomId === room);
  assert.deepEqual(await ann.participant.invites(), []);
});

test("a participant that restarts rejoins by itself and has all of the history again", async (context) => {
  const hub = await Listener.start(context, "hal");
  const first = await Listener.start(context, "ann");
  const room = await hub.participant.create({ isPublic: true });
  await first.participant.join(room, [hub.name]);
  await first.participant.say(room, "here I am");
  await hub.hears("here I am");
  await first.stop();
  for (const body of ["are you there?", "no"]) await hub.participant.say(room, body);

  const again = await Listener.start(context, "ann", { data: first.data, port: first.port });
  assert.equal(again.of("ready")[0].isNewKey, false);
  assert.equal(again.of("ready")[0].keyId, first.of("ready")[0].keyId);
  await again.participant.rejoin();
  assert.deepEqual(again.told.slice(1, 2), [{ type: "rejoining", roomId: room }]);
  const missed = again.of("event").filter(({ isHistory }) => isHistory).map(({ event }) => event.content.body).filter(Boolean);
  assert.deepEqual(missed, ["here I am", "are you there?", "no"], "oldest first");
  assert.equal(again.of("healed")[0].events, (await ids(hub, room)).length - 1);
  await again.participant.say(room, "back");
  await hub.hears("back");
  await hub.participant.say(room, "welcome");
  await again.hears("welcome");
  assert.deepEqual(await ids(again, room), await ids(hub, room));
  assertCalm(again, hub);
});

test("a long history is fetched page by page, and told of oldest first", async (context) => {
  const hub = await Listener.start(context, "hal");
  const room = await hub.participant.create({ isPublic: true });
  for (let number = 0; number < 22; number += 1) await hub.participant.say(room, String(number));
  for (const page of [5, 9, 27, 100]) {
    const ann = await Listener.start(context, "ann", { page });
    await ann.participant.join(room, [hub.name]);
    const told = ann.of("event").filter(({ isHistory }) => isHistory);
    assert.deepEqual(told.map(({ eventId }) => eventId), (await ids(hub, room)).slice(0, told.length), String(page));
    assert.equal(told.length, (await ids(hub, room)).length - 1);
    assert.ok(told.every(({ checks }) => allPassed(checks)));
    assertCalm(ann);
    await ann.participant.leave(room);
    await hub.until("her leaving", ({ type, event }) => type === "event" && event.sender === ann.user && event.content.membership === "leave");
    await ann.stop();
  }
});

test("a user who leaves and joins again has a gap, and no false alarm", async (context) => {
  const hub = await Listener.start(context, "hal");
  const ann = await Listener.start(context, "ann");
  const room = await hub.participant.create({ isPublic: true });
  await ann.participant.join(room, [hub.name]);
  await ann.participant.leave(room);
  await ann.until("her own leaving", ({ type, event }) => type === "event" && event.content.membership === "leave");
  await hub.participant.say(room, "not for her");
  await ann.participant.join(room, [hub.name]);
  await hub.participant.say(room, "welcome back");
  const { checks } = await ann.hears("welcome back");
  assert.ok(allPassed(checks));
  assert.equal(ann.of("healed").length, 1);
  assert.deepEqual(ann.of("event").filter(({ checks }) => !allPassed(checks, ["chain"])), []);
  assert.deepEqual(ann.of("event").filter(({ checks }) => checks.chain === "failed"), []);
  assertCalm(ann, hub);
});

test("a room that was left is not rejoined, and its hub hears of it", async (context) => {
  const hub = await Listener.start(context, "hal");
  const ann = await Listener.start(context, "ann");
  const room = await hub.participant.create({ isPublic: true });
  await ann.participant.join(room, [hub.name]);
  await ann.participant.leave(room);
  await hub.until("her leaving", ({ type, event }) => type === "event" && event.content.membership === "leave");
  await ann.stop();
  const again = await Listener.start(context, "ann", { data: ann.data, port: ann.port });
  await again.participant.rejoin();
  assert.deepEqual(again.told.map(({ type }) => type), ["ready"]);
});

test("a hub that is away is told of, and the room stays on the list", async (context) => {
  const hub = await Listener.start(context, "hal");
  const ann = await Listener.start(context, "ann");
  const room = await hub.participant.create({ isPublic: true });
  await ann.participant.join(room, [hub.name]);
  await Promise.all([hub.stop(), ann.stop()]);
  const again = await Listener.start(context, "ann", { data: ann.data, port: ann.port });
  await again.participant.rejoin();
  assert.match(again.of("failed")[0].error, /could not be reached/);
  assert.deepEqual([...new RoomList(ann.data).rooms], [[room, [hub.name]]]);
});
