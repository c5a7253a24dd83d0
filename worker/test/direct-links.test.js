// A tab whose hub, in another tab, is behind a socket at first: requests go over a direct link while it stands, then over the socket again.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { WebSocketServer } from "ws";
import { sends } from "../../pkg/test/tabs/acts.js";
import { start } from "../../pkg/test/tabs/browser.js";

let browser;
let wire;
let address;

before(async () => {
  browser = await start();
  // Whatever one of the two says the other hears.
  wire = createServer();
  const sockets = new WebSocketServer({ server: wire });
  sockets.on("connection", (socket) => socket.on("message", (data) => sockets.clients.forEach((other) => other !== socket && other.send(String(data)))));
  await new Promise((listening) => wire.listen(0, "127.0.0.1", listening));
  address = `ws://localhost:${wire.address().port}/`;
});

after(async () => {
  await browser?.stop();
  wire?.closeAllConnections();
  wire?.close();
});

const openServer = (tab, name) =>
  tab.evaluate(async (name) => {
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...config) {
        super(...config);
        connections.push(this);
      }
    };
    window.server = await hublet.open({ name, user: name, store: "memory", links: { tabs: false } });
    window.traffic = [];
    server.addEventListener("traffic", ({ detail }) => traffic.push(detail));
    return server.server;
  }, name);

test("requests go over the direct link while it stands, then over the socket again", async () => {
  const [hub, guest] = [await browser.tab(), await browser.tab()];
  const name = await openServer(hub, "hub");
  const link = await hub.evaluate(async (address) => {
    const { port1, port2 } = new MessageChannel();
    const socket = new WebSocket(address);
    await new Promise((opened) => (socket.onopen = opened));
    socket.onmessage = ({ data }) => port2.postMessage(JSON.parse(data));
    port2.onmessage = ({ data }) => socket.send(JSON.stringify(data));
    server.connectPort(port1);
    window.room = await server.createRoom({ public: true });
    room.acceptPeers();
    return room.link();
  }, address);
  await openServer(guest, "guest");
  await guest.evaluate(
    async ({ name, address, link }) => {
      await server.connectSocket(name, address);
      window.room = await server.joinRoom(link);
    },
    { name, address, link },
  );
  assert.equal(await sends(guest, "over the socket"), "socket");
  assert.equal(await guest.evaluate(async (name) => (await room.connectPeer(name)).link, name), "rtc");
  assert.equal(await sends(guest, "directly"), "rtc");
  await hub.evaluate(() => connections.forEach((connection) => connection.close()));
  await guest.waitForFunction(() => server.peers.some(({ link }) => link === "socket"));
  assert.equal(await sends(guest, "over the socket again"), "socket");
  await hub.evaluate(() => room.sendMessage("and back"));
  await guest.waitForFunction(async () => (await room.timeline()).events.some(({ content }) => content.body === "and back"));
  const bodies = await hub.evaluate(async () => (await room.timeline()).events.map(({ content }) => content.body).filter(Boolean));
  assert.deepEqual(bodies, ["over the socket", "directly", "over the socket again", "and back"]);
  await hub.close();
  await guest.close();
});
