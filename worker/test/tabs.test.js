// A tab as a full participant: it has no address, so it opens a socket to the hub, proves its name over it, and is reached there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../../pkg/test/tabs/browser.js";
import { eventually, Hub, saying } from "./support/hubs.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

const openTab = async (hub, room) => {
  const tab = await browser.tab();
  await tab.evaluate(
    async ({ name, socket, room }) => {
      window.server = await hublet.open({ name: "at the edge", user: "ann", links: { tabs: false, sockets: { [name]: socket } } });
      const connected = () => server.peers.some((peer) => peer.server === name && peer.link === "socket");
      for (let turn = 0; turn < 200 && !connected(); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
      window.room = await server.joinRoom(room, name);
    },
    { name: hub.name, socket: `ws://${hub.name}/_hublet/link`, room },
  );
  return tab;
};

const bodies = (tab) => tab.evaluate(async () => (await room.timeline()).events.filter(({ status }) => status === "sent").map(({ content }) => content.body));

test("a tab joins the room of a hub at the edge, and both hear each other, also after the hub was away", async (t) => {
  const hub = await Hub.start(t);
  const room = await hub.createRoom();
  const tab = await openTab(hub, room);
  await tab.evaluate(() => room.sendMessage("from the tab"));
  await hub.shows(room, saying("from the tab"));
  await hub.say(room, hub.user("hal"), "from the edge");
  await eventually(async () => (await bodies(tab)).includes("from the edge"), "the hub's event");

  await hub.stop();
  await tab.evaluate(() => room.sendMessage("while you were away"));
  await hub.resume();
  await hub.shows(room, saying("while you were away"));
  await hub.say(room, hub.user("hal"), "back again");
  await eventually(async () => (await bodies(tab)).includes("back again"), "what the hub says after its restart");
  await tab.close();
});

test("who cannot prove the name that it claims is sent nothing", async (t) => {
  const hub = await Hub.start(t);
  const tab = await browser.tab();
  const came = await tab.evaluate(async (socket) => {
    const frames = [];
    const link = new WebSocket(`${socket}?server=${"a".repeat(52)}.key.invalid`);
    link.onmessage = ({ data }) => {
      frames.push(JSON.parse(data));
      link.send(JSON.stringify({ kind: "proof", header: 'X-Matrix origin="a",destination="b",key="ed25519:key",sig="AA"' }));
      link.send(JSON.stringify({ kind: "request", id: "1", to: frames[0].from, from: "x", method: "GET", target: "/_matrix/key/v2/server", headers: [], body: "" }));
      for (const odd of ["", "{", "[]", "null", '{"kind":"request"}', "x".repeat(100_000)]) link.send(odd);
    };
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return [frames.map(({ kind }) => kind), link.readyState];
  }, `ws://${hub.name}/_hublet/link`);
  assert.deepEqual(came, [["challenge"], 1]);
  await tab.close();
});
