// A disk that is full: it is told, nothing that was acknowledged is lost, and with room again the server goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start, visit } from "./browser.js";

let browser;
let origin;
let session;

before(async () => {
  browser = await start();
  ({ origin } = new URL(browser.url));
  session = await browser.context.newCDPSession(await browser.tab());
});

after(() => browser?.stop());

/**
 * Lets the origin keep so many bytes more than it does; nothing said lets it keep what it likes. The browser remembers for half a minute how much it found, so that is only ever made more
 * here. What is said holds as long as the session.
 */
async function allow(more) {
  const { usage } = await session.send("Storage.getUsageAndQuota", { origin });
  await session.send("Storage.overrideQuotaForOrigin", { origin, ...(more !== undefined && { quotaSize: usage + more }) });
}

const open = (tab, roomId) =>
  tab.evaluate(async (roomId) => {
    window.server = await hublet.open({ name: "full", user: "ann" });
    window.room = roomId ? await server.room(roomId) : await server.createRoom({ name: "Full" });
    // The browser counts what is kept compressed.
    const noise = () => Array.from(crypto.getRandomValues(new Uint8Array(25_000)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    window.fill = (number) => room.sendMessage(`${number} ${noise()}`, { txn: `fill ${number}` });
    return room.roomId;
  }, roomId);

/** The numbers that the log holds, and whether it is one chain. */
const held = (tab) =>
  tab.evaluate(async () => {
    const { events } = await room.timeline({ from: 0, limit: 1_000 });
    const isChain = events.every(({ prevEvents }, at) => at === 0 || prevEvents.join() === events[at - 1].eventId);
    return { isChain, numbers: events.filter(({ type }) => type === "m.room.message").map(({ content }) => parseInt(content.body)) };
  });

test("a server that cannot be made on a full disk says so, and can be made later", async () => {
  const tab = await browser.tab();
  const open = () => tab.evaluate(() => hublet.open({ name: "late" }).then(async (server) => server.createRoom({ name: "Late" })).then((room) => room.name, ({ code }) => code));
  await allow(1);
  assert.equal(await open(), "quota");
  await allow(1_000_000);
  assert.equal(await open(), "Late");
  await tab.close();
});

test("a send that does not fit says so, and nothing is lost", async () => {
  const tab = await browser.tab();
  const roomId = await open(tab);
  await allow(2_000_000);
  const full = await tab.evaluate(async () => {
    const acknowledged = [];
    const shown = [];
    room.addEventListener("event", ({ detail }) => detail.status === "refused" && shown.push(detail.txn));
    for (let number = 0; number < 400; number++) {
      try {
        await fill(number);
        acknowledged.push(number);
      } catch (error) {
        return { acknowledged, shown, isOurs: error instanceof hublet.HubletError, code: error.code, message: error.message };
      }
    }
    return { acknowledged };
  });
  const next = full.acknowledged.length;
  assert.ok(next > 5 && next < 400, `${next} fit`);
  assert.deepEqual([full.isOurs, full.code, full.shown], [true, "quota", [`fill ${next}`]]);
  assert.match(full.message, /no more room/);
  // What is here can be read, now and by whoever opens it on the full disk.
  assert.deepEqual(await held(tab), { isChain: true, numbers: full.acknowledged });
  assert.equal(await tab.evaluate(() => fill(9_999).catch(({ code }) => code)), "quota");
  await visit(tab, browser.url);
  await open(tab, roomId);
  assert.deepEqual(await held(tab), { isChain: true, numbers: full.acknowledged });
  assert.equal(await tab.evaluate((next) => fill(next).catch(({ code }) => code), next), "quota");
  // With room again the same page goes on, by the same transaction ID.
  await allow();
  await tab.evaluate((next) => Promise.all([fill(next), fill(next + 1)]), next);
  assert.deepEqual(await held(tab), { isChain: true, numbers: [...full.acknowledged, next, next + 1] });
  assert.deepEqual(tab.errors, []);
  await tab.close();
});
