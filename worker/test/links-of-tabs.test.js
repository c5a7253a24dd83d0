// Tabs at a hub at the edge: the same package in Chromium, over a socket that is kept.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../../pkg/test/tabs/browser.js";
import { freePort, Hub } from "./support/hubs.js";

const edge = await Hub.start({ after });
let browser;
let roomId;

before(async () => {
  browser = await start();
  roomId = await edge.createRoom();
  await edge.say(roomId, edge.user("hal"), "Welcome");
});

after(() => browser?.stop());

const address = () => `ws://${edge.name}/_hublet/link`;

test("a link is answered when it stands, and what the hub signed is checked by its key", async () => {
  const tab = await browser.tab();
  const seen = await tab.evaluate(
    async ({ name, url, roomId }) => {
      const server = await hublet.open({ name: "guest" });
      const { server: peer, link, connected } = await server.connectSocket(name, url);
      // Asked for again it is the same link.
      await server.connectSocket(name, url);
      const room = await server.joinRoom(roomId, name);
      const { eventId } = await room.sendMessage("From a tab");
      for (let turn = 0; turn < 100 && !(await room.event(eventId).catch(() => undefined)); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
      const own = await room.event(eventId);
      const proof = async (id) => (await room.proof(id)).signatures.map(({ server, as, valid }) => [server === name, as, valid]);
      const said = (await room.timeline()).events.find(({ content }) => content.body === "Welcome");
      return { peer, link, connected, isOther: own.eventId !== eventId, body: own.content.body, theirs: await proof(said.eventId), ours: (await proof(eventId)).sort() };
    },
    { name: edge.name, url: address(), roomId },
  );
  assert.deepEqual(seen, {
    peer: edge.name,
    link: "socket",
    connected: true,
    isOther: true,
    body: "From a tab",
    theirs: [[true, "both", true]],
    ours: [
      [false, "sender", true],
      [true, "hub", true],
    ],
  });
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test("a link that does not stand says why", async () => {
  const tab = await browser.tab();
  const errors = await tab.evaluate(
    async ({ name, url, nobody }) => {
      const server = await hublet.open({ name: "lost", store: "memory" });
      const why = (server, url) => server.connectSocket(...url).then(() => "stands", ({ code, message }) => [code, message]);
      const told = [await why(server, ["localhost:1", nobody]), await why(server, ["other.example", url]), await why(server, [name, "ftp://nowhere"])];
      await server.goOffline();
      told.push(await why(server, [name, url]));
      await server.goOnline();
      return told;
    },
    { name: edge.name, url: address(), nobody: `ws://localhost:${await freePort()}/` },
  );
  assert.deepEqual(errors.map(([code]) => code), ["unreachable", "unreachable", "argument", "unreachable"]);
  assert.match(errors[0][1], /^the link was closed before it was known who is at its other end/);
  assert.equal(errors[1][1], `at the other end of the link is another server: ${edge.name}`);
  assert.match(errors[2][1], /^no link can be opened to this address/);
  assert.equal(errors[3][1], "the links are cut: go online first");
  await tab.close();
});

test("the socket of a tab that does not write is kept by whoever writes", async () => {
  const [writer, other] = [await browser.tab(), await browser.tab()];
  await writer.evaluate(async () => {
    window.server = await hublet.open({ name: "shared", links: { tabs: false } });
  });
  const peers = () => other.evaluate(() => server.peers.map(({ server, link }) => `${link} ${server}`));
  await other.evaluate(
    async ({ name, url }) => {
      window.server = await hublet.open({ name: "shared", links: { tabs: false } });
      if (server.role !== "proxy") throw new Error("writes");
      await server.connectSocket(name, url);
    },
    { name: edge.name, url: address() },
  );
  assert.deepEqual(await peers(), [`socket ${edge.name}`]);
  await writer.close();
  await other.waitForFunction((name) => server.role === "writer" && server.peers.some(({ server }) => server === name), edge.name);
  await other.evaluate((name) => server.disconnectSocket(name), edge.name);
  assert.deepEqual(await peers(), []);
  await other.close();
});

test("the export of the edge is read in a tab", async () => {
  const log = await (await fetch(new URL(`/_hublet/rooms/${encodeURIComponent(roomId)}/export`, edge.url), { headers: { authorization: `Bearer ${edge.token}` } })).text();
  const tab = await browser.tab();
  const read = await tab.evaluate(
    async ({ name, url, log }) => {
      const server = await hublet.open({ name: "archive" });
      await server.connectSocket(name, url);
      const room = await server.importRoom(new Blob([log]));
      const { events } = await room.timeline({ limit: 1_000 });
      return { hub: room.hub, bodies: events.map(({ content }) => content.body).filter(Boolean), lines: events.length };
    },
    { name: edge.name, url: address(), log },
  );
  assert.deepEqual(read, { hub: edge.name, bodies: ["Welcome", "From a tab"], lines: log.trim().split("\n").length });
  await tab.close();
});
