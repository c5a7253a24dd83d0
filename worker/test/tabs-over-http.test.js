// A tab at a hub at the edge where no WebSocket gets through: the package in Chromium, on a page of another origin, over HTTP alone.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { start } from "../../pkg/test/tabs/browser.js";
import { FRESH } from "./support/fresh.js";
import { eventually, freePort, Hub, saying } from "./support/hubs.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

const address = (hub) => `http://${hub.name}/_hublet/link`;

const bodies = (tab) => tab.evaluate(async () => (await room.timeline()).events.filter(({ status }) => status === "sent").map(({ content }) => content.body));

const shows = (tab, body) => eventually(async () => (await bodies(tab)).includes(body), body);

test("a tab joins a room, and both hear each other, also after the hub was killed and after the tab was offline", async (t) => {
  const hub = await Hub.start(t);
  const roomId = await hub.createRoom();
  const tab = await browser.tab();
  const peer = await tab.evaluate(
    async ({ name, url, roomId }) => {
      window.server = await hublet.open({ name: "over http", user: "ann", links: { tabs: false } });
      const { server: peer, link, connected } = await server.connectHttp(name, url);
      // Asked for again it is the same link.
      await server.connectHttp(name, url);
      window.room = await server.joinRoom(roomId, name);
      return { peer, link, connected };
    },
    { name: hub.name, url: address(hub), roomId },
  );
  assert.deepEqual(peer, { peer: hub.name, link: "http", connected: true });
  await tab.evaluate(() => room.sendMessage("from the tab"));
  await hub.shows(roomId, saying("from the tab"));
  await hub.say(roomId, hub.user("hal"), "from the edge");
  await shows(tab, "from the edge");

  await hub.kill();
  await tab.evaluate(() => room.sendMessage("while you were away"));
  await hub.resume();
  await hub.shows(roomId, saying("while you were away"));
  await hub.say(roomId, hub.user("hal"), "back again");
  await shows(tab, "back again");

  await tab.evaluate(async () => {
    await server.goOffline();
    for (const number of [1, 2, 3]) await room.sendMessage(`offline ${number}`);
  });
  await hub.say(roomId, hub.user("hal"), "meanwhile");
  assert.deepEqual(await tab.evaluate(() => server.peers), []);
  await tab.evaluate(() => server.goOnline());
  await hub.shows(roomId, saying("offline 3"));
  for (const body of ["meanwhile", "offline 3"]) await shows(tab, body);
  const said = (await hub.timeline(roomId)).map(({ event }) => event?.content.body).filter(Boolean);
  assert.deepEqual(said, ["from the tab", "from the edge", "while you were away", "back again", "meanwhile", "offline 1", "offline 2", "offline 3"]);
  await tab.close();
});

/** A way to a hub by which of five POSTs of a session one does not come through, and of another one the answer does not; how many began a session, and how many are open. */
async function badWay(t, hub) {
  const way = { begun: 0, posts: 0, open: 0 };
  const proxy = createServer(async (request, response) => {
    way.open++;
    response.on("close", () => way.open--);
    const body = await buffer(request);
    const isOfSession = request.url.includes("session=");
    const turn = isOfSession ? ++way.posts % 5 : 0;
    if (!isOfSession) way.begun++;
    if (turn === 1) return response.destroy();
    const answer = await fetch(new URL(request.url, hub.url), { method: request.method, body, headers: FRESH }).catch(() => undefined);
    const bytes = await answer?.arrayBuffer().catch(() => undefined);
    if (turn === 3 || bytes === undefined) return response.destroy();
    response.writeHead(answer.status, { "access-control-allow-origin": answer.headers.get("access-control-allow-origin") }).end(Buffer.from(bytes));
  });
  await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return Object.assign(way, { url: `http://localhost:${proxy.address().port}/_hublet/link` });
}

test("over a bad way everything comes once and in order, in one session", async (t) => {
  const hub = await Hub.start(t);
  const roomId = await hub.createRoom();
  const way = await badWay(t, hub);
  const tab = await browser.tab();
  const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
  await tab.evaluate(
    async ({ name, url, roomId, numbers }) => {
      window.server = await hublet.open({ name: "a bad way", store: "memory", links: { tabs: false } });
      await server.connectHttp(name, url);
      window.room = await server.joinRoom(roomId, name);
      for (const number of numbers) await room.sendMessage(`here ${number}`);
    },
    { name: hub.name, url: way.url, roomId, numbers },
  );
  for (const number of numbers) await hub.say(roomId, hub.user("hal"), `there ${number}`);
  await hub.shows(roomId, saying("here 8"));
  for (const body of ["here 8", "there 8"]) await shows(tab, body);
  const [seen, kept] = [await bodies(tab), (await hub.timeline(roomId)).map(({ event }) => event?.content.body)];
  for (const side of ["here", "there"]) {
    const expected = numbers.map((number) => `${side} ${number}`);
    for (const log of [seen, kept]) assert.deepEqual(log.filter((body) => body?.startsWith(side)), expected);
  }
  assert.equal(way.begun, 1);
  assert.ok(way.posts > 20, `${way.posts}`);

  await tab.evaluate(({ name, url }) => server.connectHttp(name, url), { name: hub.name, url: address(hub) });
  await eventually(() => way.open === 0, "the end of the link at the address before");
  await tab.evaluate(() => room.sendMessage("a better way"));
  await hub.shows(roomId, saying("a better way"));
  const { posts } = way;
  await sleep(1_000);
  assert.deepEqual([way.begun, way.posts, way.open], [1, posts, 0], "nothing goes the way before any more");
  await tab.close();
});

test("a link that does not stand says why", async (t) => {
  const hub = await Hub.start(t);
  const tab = await browser.tab();
  const errors = await tab.evaluate(
    async ({ name, url, nobody, elsewhere }) => {
      const server = await hublet.open({ name: "lost", store: "memory" });
      const why = (...link) => server.connectHttp(...link).then(() => "stands", ({ code, message }) => [code, message]);
      const told = [await why("localhost:1", nobody), await why("other.example", url), await why(name, "ftp://nowhere"), await why(name, "http://:"), await why(name, elsewhere)];
      await server.goOffline();
      told.push(await why(name, url));
      return told;
    },
    { name: hub.name, url: address(hub), nobody: `http://localhost:${await freePort()}/`, elsewhere: `${hub.url.origin}/_hublet/version` },
  );
  assert.deepEqual(errors.map(([code]) => code), ["unreachable", "unreachable", "argument", "argument", "unreachable", "unreachable"]);
  assert.match(errors[0][1], /^the link was closed before it was known who is at its other end \(.+\)$/);
  assert.equal(errors[1][1], `at the other end of the link is another server: ${hub.name}`);
  assert.match(errors[2][1], /^no link can be opened to this address: .+/);
  assert.equal(errors[5][1], "the links are cut: go online first");
  await tab.close();
});

test("whichever tab writes keeps the link, until it is let go; a socket takes its place and gives it back", async (t) => {
  const hub = await Hub.start(t);
  const [writer, other] = [await browser.tab(), await browser.tab()];
  await writer.evaluate(async () => {
    window.server = await hublet.open({ name: "shared", links: { tabs: false } });
  });
  const peers = () => other.evaluate(() => server.peers.map(({ server, link }) => `${link} ${server}`));
  const become = (expected) => eventually(async () => `${await peers()}` === `${expected}`, `peers: ${expected}`);
  await other.evaluate(
    async ({ name, url }) => {
      window.server = await hublet.open({ name: "shared", links: { tabs: false, http: { [name]: url } } });
      if (server.role !== "proxy") throw new Error("writes");
      await server.connectHttp(name, url);
    },
    { name: hub.name, url: address(hub) },
  );
  await become([`http ${hub.name}`]);
  await writer.close();
  await other.waitForFunction((name) => server.role === "writer" && server.peers.some(({ server }) => server === name), hub.name);

  await other.evaluate(({ name, url }) => server.connectSocket(name, url), { name: hub.name, url: `ws://${hub.name}/_hublet/link` });
  await become([`socket ${hub.name}`]);
  await other.evaluate((name) => server.disconnectSocket(name), hub.name);
  await become([`http ${hub.name}`]);
  await other.evaluate((name) => server.disconnectHttp(name), hub.name);
  await become([]);
  const start = performance.now();
  const tab = await other.evaluate(() => server.server);
  const asked = await hub.operator("POST", `/rooms/${encodeURIComponent(`!none:${tab}`)}/members`, { user: hub.user("hal"), membership: "join", via: [tab] });
  assert.ok(asked.status >= 500 && performance.now() - start < 5_000, "the hub knows that it is gone");
  await other.close();
});
