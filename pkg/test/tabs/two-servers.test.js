// Two servers with names of their own, each in a tab: one orders a room, the other takes part.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { takesHub } from "./acts.js";
import { start } from "./browser.js";

let browser;
let hub;
let guest;

before(async () => {
  browser = await start();
  [hub, guest] = [await browser.tab(), await browser.tab()];
  const link = await hub.evaluate(async () => {
    window.server = await hublet.open({ name: "hub", user: "hal" });
    window.room = await server.createRoom({ name: "Lobby", public: true });
    await room.sendMessage("before you came");
    return room.link();
  });
  await guest.evaluate(async (link) => {
    window.server = await hublet.open({ name: "guest", user: "ann" });
    window.room = await server.joinRoom(link);
  }, link);
});

after(() => browser?.stop());

/** Waits until the page's room holds a message, and gives that event. */
const seen = (tab, body) =>
  tab.evaluate(async (body) => {
    for (let turn = 0; turn < 200; turn++) {
      const { events } = await room.timeline();
      const found = events.find((event) => event.content.body === body && event.status === "sent");
      if (found) return { position: found.position, checks: found.checks, signatures: Object.keys(found.signatures), sender: found.sender, eventId: found.eventId };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never came: ${body}`);
  }, body);

const bodies = (tab) => tab.evaluate(async () => (await room.timeline()).events.filter(({ type }) => type === "m.room.message").map(({ content }) => content.body));

test("both see what either says, with every check passed", async () => {
  assert.equal(await guest.evaluate(() => room.hub), await hub.evaluate(() => server.server));
  await hub.evaluate(() => room.sendMessage("from the hub"));
  const fromHub = await seen(guest, "from the hub");
  assert.equal(fromHub.checks.length, 7);
  const shown = await guest.evaluate(async () => {
    const shown = [];
    room.addEventListener("event", ({ detail }) => shown.push([detail.status, detail.txn]));
    await room.sendMessage("from the guest", { txn: "g1" });
    for (let turn = 0; turn < 100 && shown.length < 2; turn++) await new Promise((resolve) => setTimeout(resolve, 50));
    return shown;
  });
  assert.deepEqual(shown, [
    ["sending", "g1"],
    ["sent", "g1"],
  ]);
  const [there, here] = [await seen(hub, "from the guest"), await seen(guest, "from the guest")];
  assert.equal(there.eventId, here.eventId);
  assert.equal(here.signatures.length, 2);
  assert.deepEqual(here.checks, ["schema", "sender_signature", "hub_signature", "content_hash", "hub", "auth_rules", "chain"]);
});

test("what was said before the join is read from the hub", async () => {
  assert.deepEqual((await bodies(guest)).slice(0, 2), ["before you came", "from the hub"]);
});

test("typing, receipts and data that nobody keeps arrive", async () => {
  const told = hub.evaluate(
    () =>
      new Promise((resolve) => {
        const told = [];
        const came = ({ type, detail }) => {
          told.push([type, detail.user ?? detail.sender, detail.typing ?? detail.data ?? detail.eventId]);
          if (told.length === 3) resolve(told);
        };
        for (const type of ["typing", "receipt", "ephemeral"]) room.addEventListener(type, came);
      }),
  );
  const { user, eventId } = await guest.evaluate(async () => {
    const { eventId } = (await room.timeline({ limit: 1 })).events[0];
    await room.typing(true);
    await room.read(eventId);
    await room.sendEphemeral("cursor", { x: 1 });
    return { user: server.user, eventId };
  });
  assert.deepEqual(await told, [
    ["typing", user, true],
    ["receipt", user, eventId],
    ["ephemeral", user, { x: 1 }],
  ]);
});

test("what is said offline on both sides is sent in order, and both logs agree", async () => {
  await guest.evaluate(async () => {
    await server.goOffline();
    for (const number of [1, 2, 3]) await room.sendMessage(`offline ${number}`);
  });
  await hub.evaluate(() => room.sendMessage("meanwhile"));
  const pending = await guest.evaluate(async () => (await room.timeline()).events.filter(({ status }) => status === "sending").map(({ content }) => content.body));
  assert.deepEqual(pending, ["offline 1", "offline 2", "offline 3"]);
  await guest.evaluate(() => server.goOnline());
  await seen(hub, "offline 3");
  await seen(guest, "meanwhile");
  await seen(guest, "offline 3");
  const [there, here] = [await bodies(hub), await bodies(guest)];
  assert.deepEqual(here, there);
  assert.deepEqual(there.slice(-4), ["meanwhile", "offline 1", "offline 2", "offline 3"]);
});

test("the hub moves to the other tab", async () => {
  const heir = await guest.evaluate(() => server.server);
  await hub.evaluate((heir) => room.transferHub(heir), heir);
  await takesHub(guest);
  for (const tab of [hub, guest]) {
    await tab.waitForFunction((heir) => room.hub === heir, heir);
  }
  await hub.evaluate(() => room.sendMessage("now a guest"));
  await seen(guest, "now a guest");
  await seen(hub, "now a guest");
  assert.deepEqual(hub.errors.concat(guest.errors), []);
});
