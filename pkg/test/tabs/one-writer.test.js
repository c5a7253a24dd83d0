// Three tabs of one server: one of them writes, and when it goes another goes on. Nothing that was acknowledged is lost, nothing is there twice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start, visit } from "./browser.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

/** A tab on the server of that name, with its room open if it has one. */
async function join(name, roomId) {
  const tab = await browser.tab();
  await tab.evaluate(openServer, { name, roomId });
  return tab;
}

async function openServer({ name, roomId }) {
  window.server = await hublet.open({ name, user: "ann" });
  if (server.key !== "platform") throw new Error(`the key is ${server.key}`);
  if (roomId) window.room = await server.room(roomId);
}

const role = (tab) => tab.evaluate(() => server.role);

const makeRoom = (tab) =>
  tab.evaluate(async () => {
    window.room = await server.createRoom({ name: "Shared" });
    return room.roomId;
  });

/** Every message of the log, and that the log is one chain. */
const log = (tab) =>
  tab.evaluate(async () => {
    const bodies = [];
    let last;
    for (let from = 0, end = false; !end; ) {
      const page = await room.timeline({ from, limit: 500 });
      for (const event of page.events) {
        if (last && event.prevEvents.join() !== last.eventId) throw new Error(`position ${event.position} does not follow ${last.position}`);
        last = event;
        if (event.type === "m.room.message") bodies.push(event.content.body);
      }
      from += 500;
      end = page.end;
    }
    return bodies;
  });

test("tabs that open at once have one writer and one key", async () => {
  const tabs = await Promise.all([browser.tab(), browser.tab(), browser.tab()]);
  await Promise.all(tabs.map((tab) => tab.evaluate(openServer, { name: "race" })));
  assert.deepEqual((await Promise.all(tabs.map(role))).sort(), ["proxy", "proxy", "writer"]);
  assert.equal(new Set(await Promise.all(tabs.map((tab) => tab.evaluate(() => server.server)))).size, 1);
  const roomId = await makeRoom(tabs[0]);
  for (const tab of tabs.slice(1)) await tab.evaluate(async (roomId) => (window.room = await server.room(roomId)) && undefined, roomId);
  await Promise.all(
    tabs.map((tab, number) =>
      tab.evaluate(async (number) => {
        await Promise.all(Array.from({ length: 20 }, (_, index) => room.sendMessage(`${number}/${index}`)));
      }, number),
    ),
  );
  const logs = await Promise.all(tabs.map(log));
  assert.equal(logs[0].length, 60);
  assert.equal(new Set(logs[0]).size, 60);
  assert.deepEqual(logs[1], logs[0]);
  assert.deepEqual(logs[2], logs[0]);
  await Promise.all(tabs.map((tab) => tab.close()));
});

test("when the writer goes another goes on within a second, and what waited is sent once", async () => {
  const first = await join("heirs");
  const roomId = await makeRoom(first);
  const second = await join("heirs", roomId);
  const third = await join("heirs", roomId);
  assert.deepEqual(await Promise.all([first, second, third].map(role)), ["writer", "proxy", "proxy"]);
  await second.evaluate(() => {
    window.acknowledged = [];
    window.sending = (async () => {
      for (let number = 0; number < 200 && !window.enough; number++) {
        await room.sendMessage(`m${number}`);
        acknowledged.push(`m${number}`);
      }
    })();
  });
  await second.waitForFunction(() => acknowledged.length >= 10);
  const before = await second.evaluate(() => acknowledged.length);
  const begun = Date.now();
  await first.close();
  await second.waitForFunction((before) => acknowledged.length > before + 1, before, { polling: 20 });
  const took = Date.now() - begun;
  await second.evaluate(() => ((window.enough = true), sending));
  const acknowledged = await second.evaluate(() => acknowledged);
  const [there, here] = [await log(second), await log(third)];
  assert.deepEqual(there, acknowledged);
  assert.deepEqual(here, there);
  assert.equal((await Promise.all([second, third].map(role))).filter((role) => role === "writer").length, 1);
  assert.ok(took < 1_000, `took ${took} ms`);
  await second.close();
  await third.close();
});

test("a live subscription misses nothing when the writer changes", async () => {
  const first = await join("live");
  const roomId = await makeRoom(first);
  const second = await join("live", roomId);
  await second.evaluate(() => {
    window.seen = [];
    room.addEventListener("event", ({ detail }) => detail.status === "sent" && detail.type === "m.room.message" && seen.push(detail.content.body));
  });
  await first.evaluate(() => Promise.all(["a", "b", "c"].map((body) => room.sendMessage(body))));
  await first.close();
  await second.evaluate(() => room.sendMessage("d"));
  await second.waitForFunction(() => seen.length >= 4);
  assert.deepEqual(await second.evaluate(() => seen), ["a", "b", "c", "d"]);
  await second.close();
});

async function crash(tab) {
  const session = await tab.context().newCDPSession(tab);
  const crashed = new Promise((resolve) => tab.once("crash", resolve));
  session.send("Page.crash").catch(() => undefined);
  await crashed;
}

const KILLS = Number(process.env.HUBLET_KILLS ?? 5);

test(`a tab that dies in the middle of commits loses nothing acknowledged, ${KILLS} times`, async () => {
  const name = "killed";
  let tab = await join(name);
  const roomId = await makeRoom(tab);
  const acknowledged = [];
  await tab.exposeFunction("acknowledge", (body) => void acknowledged.push(body));
  for (let kill = 0; kill < KILLS; kill++) {
    const enough = acknowledged.length + Math.ceil(Math.random() * 30);
    await tab.evaluate((kill) => {
      for (let number = 0; number < 400; number++) {
        const body = `${kill}/${number}`;
        room.sendMessage(body, { txn: body }).then(() => acknowledge(body), () => undefined);
      }
    }, kill);
    while (acknowledged.length < enough) await new Promise((resolve) => setTimeout(resolve, 1));
    // Closing ends the page and its worker as they stand; a crash, every other time, the whole process.
    if (kill % 2) await crash(tab);
    await tab.close();
    tab = await join(name, roomId);
    await tab.exposeFunction("acknowledge", (body) => void acknowledged.push(body));
    const there = await log(tab);
    assert.equal(new Set(there).size, there.length, "nothing is there twice");
    const lost = acknowledged.filter((body) => !there.includes(body));
    assert.deepEqual(lost, []);
  }
  assert.ok(acknowledged.length >= KILLS);
  await tab.close();
});

test("what a reload interrupts is sent once by the same transaction ID", async () => {
  const tab = await join("reload");
  const roomId = await makeRoom(tab);
  const bodies = Array.from({ length: 30 }, (_, number) => `r${number}`);
  const sendAll = (tab) => tab.evaluate((bodies) => Promise.all(bodies.map((body) => room.sendMessage(body, { txn: body }))).then(() => undefined), bodies);
  await Promise.race([sendAll(tab).catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 30))]);
  await visit(tab, browser.url);
  await tab.evaluate(openServer, { name: "reload", roomId });
  await sendAll(tab);
  const there = await log(tab);
  assert.deepEqual([...there].sort(), [...bodies].sort());
  await tab.close();
});
