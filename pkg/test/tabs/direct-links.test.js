// Direct links between servers of a room, signalled through it: three servers, each in tabs of its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sends } from "./acts.js";
import { start } from "./browser.js";

let browser;
let hub;
let ann;
let bob;

before(async () => {
  browser = await start();
  hub = await tab("hub");
  const link = await hub.evaluate(async () => {
    window.room = await server.createRoom({ public: true });
    return room.link();
  });
  [ann, bob] = [await tab("ann"), await tab("bob")];
  for (const guest of [ann, bob]) await guest.evaluate(async (link) => void (window.room = await server.joinRoom(link)), link);
  for (const tab of [hub, ann, bob]) await tab.waitForFunction(async () => (await room.members()).length === 3);
});

after(() => browser?.stop());

/** A tab that notes its connections and what goes over its links. */
async function tab(name) {
  const tab = await browser.tab();
  await tab.evaluate(async (name) => {
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...config) {
        super(...config);
        connections.push(this);
      }
    };
    window.standing = () => connections.filter(({ connectionState }) => connectionState === "connected").length;
    window.server = await hublet.open({ name, user: name });
    window.traffic = [];
    server.addEventListener("traffic", ({ detail }) => traffic.push(detail));
  }, name);
  return tab;
}

const nameOf = (tab) => tab.evaluate(() => server.server);

const accept = (tab, options) => tab.evaluate((options) => void (window.stop = room.acceptPeers(options)), options);

/** Answers over what the link is, or why there is none. */
const connect = (tab, server, options) => tab.evaluate(({ server, options }) => room.connectPeer(server, options).then(({ server, link }) => [server, link], ({ code, message }) => [code, message]), { server, options });

const linkTo = (tab, server) => tab.evaluate((name) => server.peers.find(({ server }) => server === name)?.link, server);

/** Ends all connections of a tab, and with them its links. */
async function cut(...tabs) {
  for (const tab of tabs) await tab.evaluate(() => connections.splice(0).forEach((connection) => connection.close()));
}

async function crash(tab) {
  const session = await tab.context().newCDPSession(tab);
  const crashed = new Promise((resolve) => tab.once("crash", resolve));
  session.send("Page.crash").catch(() => undefined);
  await crashed;
}

test("who accepts no offers is not reached, and the reason is told", async () => {
  const [there, here] = [await nameOf(bob), await nameOf(ann)];
  const [code, message] = await connect(ann, there, { timeout: 1_000 });
  assert.equal(code, "unreachable");
  assert.match(message, /has not answered the offer: it accepts none/);
  await accept(bob, { from: ["other.example"] });
  assert.equal((await connect(ann, there, { timeout: 1_000 }))[0], "unreachable");
  await bob.evaluate(() => stop());
  assert.equal(await bob.evaluate(() => connections.length), 0, "an answer would have named addresses");
  assert.deepEqual(await connect(ann, "other.example"), ["unreachable", "other.example has no user in the room"]);
  assert.equal((await connect(ann, here))[0], "argument");
});

test("an offer is repeated until someone answers", async () => {
  const there = await nameOf(bob);
  const connected = connect(ann, there);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await accept(bob);
  assert.deepEqual(await connected, [there, "rtc"]);
  await bob.evaluate(() => stop());
  await cut(ann, bob);
});

test("what is no offer is answered by nobody, and a wrong setting is told", async () => {
  const there = await nameOf(bob);
  await accept(bob);
  await ann.evaluate(async (to) => {
    const odd = [null, 1, "x", [], {}, { to }, { to, link: "1", step: "offer", piece: 1, pieces: 1, sdp: "v=0" }, { to, link: "2", step: "offer", piece: 0, pieces: 1e9, sdp: "" }];
    for (const data of [...odd, { to, link: "3", step: "offer", piece: 0, pieces: 1, sdp: "nonsense" }]) await room.sendEphemeral("hublet.link", data);
  }, there);
  assert.deepEqual(await connect(ann, there, { timeout: 5_000 }), [there, "rtc"]);
  assert.equal((await connect(ann, there, { config: { iceServers: [{ urls: "nonsense" }] } }))[0], "argument");
  await bob.evaluate(() => stop());
  await cut(ann, bob);
});

test("two participants have a direct link, and what they ask of each other goes over it", async () => {
  const there = await nameOf(bob);
  await bob.evaluate(() => room.addEventListener("ephemeral", ({ detail }) => (window.leaked = detail)));
  await accept(bob);
  assert.deepEqual(await connect(ann, there), [there, "rtc"]);
  assert.equal(await linkTo(bob, await nameOf(ann)), "rtc");
  const asked = await ann.evaluate(async (there) => {
    traffic.length = 0;
    await server.joinRoom(`!nowhere:${there}`).catch(() => undefined);
    return traffic.filter(({ direction }) => direction === "out").map(({ server, link, status }) => [server === there, link, status]);
  }, there);
  assert.ok(asked.length > 0 && asked.every(([isThere, link, status]) => isThere && link === "rtc" && typeof status === "number"), JSON.stringify(asked));
  assert.equal(await bob.evaluate(() => window.leaked), undefined);
  await bob.evaluate(() => stop());
  await cut(ann, bob);
});

test("when both offer at once one link results", async () => {
  const [one, other] = [await nameOf(ann), await nameOf(bob)];
  assert.deepEqual(await Promise.all([connect(ann, other), connect(bob, one)]), [
    [other, "rtc"],
    [one, "rtc"],
  ]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(await Promise.all([ann, bob].map((tab) => tab.evaluate(() => standing()))), [1, 1]);
  await cut(ann, bob);
});

test("of several tabs that accept one answers", async () => {
  const [there, second] = [await nameOf(bob), await tab("bob")];
  const roomId = await bob.evaluate(() => room.roomId);
  await second.evaluate(async (roomId) => void (window.room = await server.room(roomId)), roomId);
  assert.equal(await second.evaluate(() => server.role), "proxy");
  const made = () => Promise.all([bob, second].map((tab) => tab.evaluate(() => connections.length)));
  assert.deepEqual(await made(), [0, 0]);
  await Promise.all([accept(bob), accept(second)]);
  assert.deepEqual(await connect(ann, there), [there, "rtc"]);
  assert.deepEqual((await made()).sort(), [0, 1]);
  await bob.evaluate(() => stop());
  await cut(ann, bob);
  await second.close();
});

test("a description that one message cannot hold travels in pieces", async () => {
  const there = await nameOf(bob);
  await accept(bob);
  // As many routes as a machine with several networks and relays has. They lead nowhere.
  const length = await ann.evaluate(() => {
    const route = (number) => `a=candidate:${1_000 + number} 1 udp ${41_885_439 - number} 192.0.2.${number} ${50_000 + number} typ relay raddr 198.51.100.${number} rport ${40_000 + number} generation 0 network-cost 999\r\n`;
    const more = Array.from({ length: 80 }, (_, number) => route(number)).join("");
    window.Plain = RTCPeerConnection;
    window.RTCPeerConnection = class extends Plain {
      get localDescription() {
        const { type, sdp } = super.localDescription;
        return { type, sdp: sdp + more };
      }
    };
    return more.length;
  });
  assert.ok(length > 2 * 4_096, `${length} characters`);
  assert.deepEqual(await connect(ann, there), [there, "rtc"]);
  await ann.evaluate(() => (window.RTCPeerConnection = Plain) && undefined);
  await bob.evaluate(() => stop());
  await cut(ann, bob);
});

test("what goes to the hub takes the direct link while it stands, and then the way that it went before", async () => {
  const [us, there] = [await nameOf(ann), await nameOf(hub)];
  assert.equal(await sends(ann, "between tabs"), "tabs");
  await accept(hub);
  assert.deepEqual(await connect(ann, there), [there, "rtc"]);
  assert.equal(await sends(ann, "directly"), "rtc");
  await cut(ann);
  await hub.waitForFunction((us) => server.peers.find((peer) => peer.server === us)?.link === "tabs", us);
  assert.equal(await sends(ann, "between tabs again"), "tabs");
  assert.equal(await linkTo(ann, there), "tabs");
  await hub.evaluate(() => room.sendMessage("and back"));
  await ann.waitForFunction(async () => (await room.timeline()).events.some(({ content }) => content.body === "and back"));
  const bodies = await hub.evaluate(async () => (await room.timeline()).events.map(({ content }) => content.body).filter(Boolean));
  assert.deepEqual(bodies, ["between tabs", "directly", "between tabs again", "and back"]);
  assert.deepEqual([hub, ann, bob].flatMap(({ errors }) => errors), []);
});

test("when the page at the other end dies another tab of that server is reached the old way", async () => {
  const [there, heir] = [await nameOf(hub), await tab("hub")];
  assert.equal(await heir.evaluate(() => server.role), "proxy");
  assert.deepEqual(await connect(ann, there), [there, "rtc"]);
  assert.equal(await sends(ann, "before it dies"), "rtc");
  await crash(hub);
  // Nobody says that the channel is dead: the next request finds out.
  assert.equal(await sends(ann, "after it died"), "tabs");
  const roomId = await ann.evaluate(() => room.roomId);
  const last = await heir.evaluate(async (roomId) => (await (await server.room(roomId)).timeline()).events.at(-1).content.body, roomId);
  assert.equal(last, "after it died");
});
