// Ports and data channels in tabs that do not write: their frames go over the tab that does, and over the next when it dies.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./browser.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

/** Tabs of one server, in the order in which they will write. Each is told of other servers by `seen`. */
async function tabsOf(name, count) {
  const tabs = [];
  for (let number = 0; number < count; number++) {
    const tab = await browser.tab();
    await tab.evaluate(async (name) => {
      window.server = await hublet.open({ name, user: "hal", links: { tabs: false } });
      window.seen = [];
      server.addEventListener("peer", ({ detail }) => seen.push(detail));
    }, name);
    tabs.push(tab);
  }
  assert.deepEqual(await Promise.all(tabs.map(role)), ["writer", ...Array(count - 1).fill("proxy")]);
  return tabs;
}

const role = (tab) => tab.evaluate(() => server.role);

/** A server in a worker of its own: whoever has the page's other end of the port has the link. */
const openGuest = (tab) =>
  tab.evaluate(async () => {
    window.guest = await hublet.open({ name: "guest", user: "ann", store: "memory", links: { tabs: false } });
    return guest.server;
  });

/** The guest and the server of the same page, over a port. */
const connectGuest = (tab) =>
  tab.evaluate(async () => {
    const { port1, port2 } = new MessageChannel();
    const [there, here] = await Promise.all([server.connectPort(port1), guest.connectPort(port2)]);
    return [there.server === guest.server, here.server === server.server, there.link, here.link];
  });

const makeRoom = (tab) =>
  tab.evaluate(async () => {
    window.room = await server.createRoom({ public: true });
    return room.link();
  });

const joinRoom = (tab, link) =>
  tab.evaluate(async (link) => {
    window.room = await guest.joinRoom(link);
  }, link);

/** Says that in the page's room, and waits until another page's room has it. */
async function passes(from, to, body, roomId) {
  await from.evaluate((body) => room.sendMessage(body), body);
  await has(to, body, roomId);
}

const has = (tab, body, roomId) =>
  tab.evaluate(
    async ({ body, roomId }) => {
      const here = roomId ? await server.room(roomId) : room;
      for (let turn = 0; turn < 300; turn++) {
        const { events } = await here.timeline();
        if (events.some(({ content, status }) => content.body === body && status === "sent")) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`never came: ${body}`);
    },
    { body, roomId },
  );

const roomIdOf = (tab) => tab.evaluate(() => room.roomId);

async function crash(tab) {
  const session = await tab.context().newCDPSession(tab);
  const crashed = new Promise((resolve) => tab.once("crash", resolve));
  session.send("Page.crash").catch(() => undefined);
  await crashed;
  await tab.close();
}

/** Waits until the tab's server is told of that. */
const told = (tab, server, connected) =>
  tab.waitForFunction(({ server, connected }) => seen.some((peer) => peer.server === server && peer.connected === connected), { server, connected }, { polling: 20 });

test("a port of a tab that does not write carries a room, also when another writes from now on, and its end is told", async () => {
  const [first, second, holder] = await tabsOf("relay", 3);
  const link = await makeRoom(first);
  const roomId = await roomIdOf(first);
  const guest = await openGuest(holder);
  assert.deepEqual(await connectGuest(holder), [true, true, "port", "port"]);
  await joinRoom(holder, link);
  await passes(holder, first, "to the hub", roomId);
  await passes(first, holder, "to the guest");

  // Transactions of some hundred kilobytes, in their order.
  const large = Array.from({ length: 12 }, (_, number) => `${number} ${"x".repeat(40_000)}`);
  await holder.evaluate((large) => Promise.all(large.map((body) => room.sendMessage(body))), large);
  await has(first, large.at(-1), roomId);
  const lengths = await first.evaluate(async () => (await room.timeline({ limit: 12 })).events.map(({ content }) => [parseInt(content.body), content.body.length]));
  assert.deepEqual(lengths, large.map((body, number) => [number, body.length]));

  await second.evaluate(() => void seen.splice(0));
  await crash(first);
  await second.waitForFunction(() => server.role === "writer");
  assert.equal(await role(holder), "proxy");
  await told(second, guest, true);
  await passes(holder, second, "to the new writer", roomId);
  await second.evaluate(async (roomId) => void (window.room = await server.room(roomId)), roomId);
  await passes(second, holder, "from the new writer");
  assert.deepEqual(await holder.evaluate(() => [guest.peers, server.peers].map((peers) => peers.map(({ link }) => link))), [["port"], ["port"]]);

  await second.evaluate(() => void seen.splice(0));
  const begun = Date.now();
  await holder.close();
  await told(second, guest, false);
  assert.ok(Date.now() - begun < 2_000, `took ${Date.now() - begun} ms`);
  assert.deepEqual(await second.evaluate(() => server.peers), []);
  await second.close();
});

test("a tab that begins to write has its ports itself", async () => {
  const [first, holder] = await tabsOf("heir", 2);
  const link = await makeRoom(first);
  const roomId = await roomIdOf(first);
  await openGuest(holder);
  await connectGuest(holder);
  await joinRoom(holder, link);
  await passes(holder, first, "relayed", roomId);
  // Of this one nobody has the other end yet.
  await holder.evaluate(async () => {
    window.late = await hublet.open({ name: "late", store: "memory", links: { tabs: false } });
    const { port1, port2 } = new MessageChannel();
    window.port = port2;
    window.waiting = server.connectPort(port1);
  });
  // This one says good-bye: what it relayed is none of what ends.
  await first.evaluate(() => server.close());
  await holder.waitForFunction(() => server.role === "writer" && server.peers.length === 1);
  await passes(holder, holder, "direct", roomId);
  const named = await holder.evaluate(async () => [(await late.connectPort(port)).server === server.server, (await waiting).server === late.server]);
  assert.deepEqual(named, [true, true]);
  await first.close();
  await holder.close();
});

test("links of two tabs are not confused, and end with their own", async () => {
  const [writer, one, other] = await tabsOf("two", 3);
  const link = await makeRoom(writer);
  const guests = [];
  for (const tab of [one, other]) {
    guests.push(await openGuest(tab));
    assert.deepEqual(await connectGuest(tab), [true, true, "port", "port"]);
    await joinRoom(tab, link);
  }
  await passes(one, other, "across");
  await passes(other, one, "and back");
  await one.evaluate(() => server.close());
  await told(writer, guests[0], false);
  // The other end is told as well.
  await one.waitForFunction(() => guest.peers.length === 0);
  await passes(other, writer, "still here");
  assert.deepEqual(await writer.evaluate(() => server.peers.map(({ server }) => server)), [guests[1]]);
  for (const tab of [writer, one, other]) await tab.close();
});

test("a data channel of a tab that does not write carries a room, also when another writes from now on", async () => {
  const [first, second, holder] = await tabsOf("channel", 3);
  const link = await makeRoom(first);
  const roomId = await roomIdOf(first);
  const far = await browser.tab();
  const guest = await openGuest(far);
  const offer = await holder.evaluate(async () => {
    window.offered = await server.offerPeer();
    return offered.offer;
  });
  const answer = await far.evaluate(async (offer) => {
    const { answer, connected } = await guest.answerPeer(offer);
    window.connected = connected;
    return answer;
  }, offer);
  assert.deepEqual(await holder.evaluate(async (answer) => (await offered.accept(answer)).link, answer), "rtc");
  assert.equal(await far.evaluate(async () => (await connected).link), "rtc");
  await joinRoom(far, link);
  await passes(far, first, "to the hub", roomId);
  await crash(first);
  await second.waitForFunction(() => server.role === "writer");
  await told(second, guest, true);
  await passes(far, second, "to the new writer", roomId);
  await second.evaluate(() => void seen.splice(0));
  await holder.close();
  await told(second, guest, false);
  await second.close();
  await far.close();
});
