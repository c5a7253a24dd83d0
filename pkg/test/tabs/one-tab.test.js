// A server in one tab: a room, its timeline, what is live, and all of it again after a reload.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start, visit } from "./browser.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

test("a room is made, spoken in, and there again after a reload", async () => {
  const tab = await browser.tab();
  const first = await tab.evaluate(async () => {
    const server = await hublet.open({ name: "reload", user: "ann" });
    const room = await server.createRoom({ name: "Lobby", public: true });
    const shown = [];
    room.addEventListener("event", ({ detail }) => shown.push([detail.status, detail.content.body, detail.txn]));
    const sent = await room.sendMessage("Hello!", { txn: "t1" });
    const again = await room.sendMessage("Hello!", { txn: "t1" });
    const { events, end } = await room.timeline();
    return { server: server.server, user: server.user, role: server.role, roomId: room.roomId, hub: room.hub, name: room.name, sent, again, shown, end, events: events.map(({ type, status, checks }) => [type, status, checks.length]) };
  });
  assert.match(first.server, /^[a-z2-7]{52}\.key\.invalid$/);
  assert.equal(first.user, `@ann:${first.server}`);
  assert.equal(first.role, "writer");
  assert.equal(first.hub, first.server);
  assert.equal(first.name, "Lobby");
  assert.deepEqual(first.again, first.sent);
  assert.deepEqual(first.shown.slice(0, 2), [
    ["sending", "Hello!", "t1"],
    ["sent", "Hello!", "t1"],
  ]);
  assert.deepEqual(
    first.events.map(([type]) => type),
    ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.name", "m.room.message"],
  );
  assert.ok(first.events.every(([, status, checks]) => status === "sent" && checks === 7));

  await visit(tab, browser.url);
  const second = await tab.evaluate(async (roomId) => {
    const server = await hublet.open({ name: "reload", user: "ann" });
    const room = await server.room(roomId);
    const live = [];
    const reading = (async () => {
      for await (const event of room.events({ from: 5 })) {
        live.push([event.position, event.content.body ?? event.content.name]);
        if (live.length === 3) break;
      }
    })();
    const shown = [];
    room.addEventListener("event", ({ detail }) => shown.push([detail.status, detail.txn, detail.position]));
    const once = await room.sendMessage("Hello!", { txn: "t1" });
    await room.sendMessage("Again");
    await reading;
    for (let turn = 0; turn < 40 && shown.length < 4; turn++) await new Promise((resolve) => setTimeout(resolve, 50));
    return { once, shown: shown.filter(([, txn]) => txn === "t1"), server: server.server, rooms: await server.rooms(), live, members: await room.members(), topic: (await room.state("m.room.topic")) ?? null };
  }, first.roomId);
  assert.equal(second.server, first.server);
  assert.deepEqual(second.once, first.sent);
  assert.deepEqual(second.shown, [
    ["sending", "t1", undefined],
    ["sent", "t1", 6],
  ]);
  assert.deepEqual(second.rooms, [{ roomId: first.roomId, membership: "join", name: "Lobby", hub: first.server }]);
  assert.deepEqual(second.live, [
    [5, "Lobby"],
    [6, "Hello!"],
    [7, "Again"],
  ]);
  assert.deepEqual(second.members, [{ user: first.user, server: first.server, membership: "join", displayname: undefined, avatarUrl: undefined, powerLevel: 100 }]);
  assert.equal(second.topic, null);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test("one transaction ID makes one room, at once and again", async () => {
  const tab = await browser.tab();
  const seen = await tab.evaluate(async () => {
    const first = await hublet.open({ name: "once", user: "ann" });
    const wish = { name: "Once", txn: "t" };
    const made = await Promise.all([first.createRoom(wish), first.createRoom(wish)]);
    const [room] = made;
    const state = (await room.state()).map(({ type }) => type);
    const sent = new Promise((resolve) => room.addEventListener("event", ({ detail }) => detail.status === "sent" && resolve(detail.position)));
    await room.sendMessage("first");
    const position = await sent;
    await first.close();
    const second = await hublet.open({ name: "once", user: "ann" });
    const again = await second.createRoom(wish);
    return { isOne: made[0] === made[1], state: state.length, position, name: again.name, same: again.roomId === room.roomId, rooms: (await second.rooms()).length, events: (await again.timeline()).events.length };
  });
  assert.deepEqual(seen, { isOne: true, state: 6, position: 6, name: "Once", same: true, rooms: 1, events: 7 });
  await tab.close();
});

test("a redacted event is told, and shows no content any more", async () => {
  const tab = await browser.tab();
  const seen = await tab.evaluate(async () => {
    const server = await hublet.open({ name: "redact", store: "memory" });
    const room = await server.createRoom({});
    const { eventId } = await room.sendMessage("a secret");
    const updated = new Promise((resolve) => room.addEventListener("updated", ({ detail }) => resolve(detail)));
    await room.redact(eventId, "wrong room");
    const { content, redacted, checks, eventId: same } = await updated;
    return { content, redacted, checks, same: same === eventId };
  });
  assert.deepEqual(seen, { content: {}, redacted: true, checks: ["schema", "sender_signature", "hub_signature", "hub", "auth_rules", "chain"], same: true });
  await tab.close();
});

test("what is refused says why, and what is wrong is named", async () => {
  const tab = await browser.tab();
  const codes = await tab.evaluate(async () => {
    const code = (promise) => promise.then(() => "none", (error) => [error instanceof hublet.HubletError, error.code, error.errcode ?? null, error.rung ?? null, error.rule ?? null]);
    const server = await hublet.open({ name: "refused", store: "memory" });
    const room = await server.createRoom({});
    const shown = [];
    room.addEventListener("event", ({ detail }) => shown.push([detail.status, detail.rung ?? null, detail.rule ?? null]));
    return [
      await code(room.setState("m.room.member", "@nobody:example.org", { membership: "dance" })),
      await code(room.send("m.room.message", { body: "half of a pair: \ud800" })),
      await code(room.send("m.room.message", { number: 2 ** 53 })),
      await code(room.event("$none")),
      await code(server.room("!none:example.org")),
      await code(server.joinRoom("no link")),
      await code(hublet.open({ user: "A B" })),
      [...shown],
      await code(server.close().then(() => room.sendMessage("late"))),
    ];
  });
  assert.deepEqual(codes, [
    [true, "refused", "M_FORBIDDEN", "rules", "MembershipUnknown"],
    [true, "argument", null, null, null],
    [true, "refused", "M_BAD_JSON", "schema", "Number"],
    [true, "argument", null, null, null],
    [true, "not_found", "M_NOT_FOUND", null, null],
    [true, "argument", null, null, null],
    [true, "argument", null, null, null],
    [
      ["sending", null, null],
      ["refused", "rules", "MembershipUnknown"],
      ["sending", null, null],
      ["refused", null, null],
      ["sending", null, null],
      ["refused", "schema", "Number"],
    ],
    [true, "closed", null, null, null],
  ]);
  await tab.close();
});
