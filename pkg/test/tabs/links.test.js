// Ways between servers, what is shown of them, and what a flipped bit comes to.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./browser.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

/** A hub and a guest without links to other tabs, in one page. */
const unlinked = async (tab) =>
  tab.evaluate(async () => {
    const links = { tabs: false };
    [window.hub, window.guest] = await Promise.all([hublet.open({ name: "a", user: "hal", store: "memory", links }), hublet.open({ name: "b", user: "ann", store: "memory", links })]);
    window.converse = async () => {
      const room = await hub.createRoom({ public: true });
      const there = await guest.joinRoom(room.link());
      const came = new Promise((resolve) => room.addEventListener("event", ({ detail }) => detail.sender === guest.user && detail.type === "m.room.message" && resolve(detail)));
      await there.sendMessage("x".repeat(40_000));
      return [(await came).content.body.length, hub.peers.map(({ link }) => link), guest.peers.map(({ link }) => link)];
    };
  });

test("a port carries a room", async () => {
  const tab = await browser.tab();
  await unlinked(tab);
  const unreachable = await tab.evaluate(async () => {
    const room = await hub.createRoom({ public: true });
    return guest.joinRoom(room.link()).catch(({ code }) => code);
  });
  assert.equal(unreachable, "unreachable");
  const came = await tab.evaluate(async () => {
    const { port1, port2 } = new MessageChannel();
    const [there, here] = await Promise.all([hub.connectPort(port1), guest.connectPort(port2)]);
    if (there.server !== guest.server || here.server !== hub.server) throw new Error("wrong names");
    return converse();
  });
  assert.deepEqual(came, [40_000, ["port"], ["port"]]);
  await tab.close();
});

test("a data channel carries a room", async () => {
  const tab = await browser.tab();
  await unlinked(tab);
  const came = await tab.evaluate(async () => {
    const { offer, accept } = await hub.offerPeer();
    const { answer, connected } = await guest.answerPeer(offer);
    await Promise.all([accept(answer), connected]);
    return converse();
  });
  assert.deepEqual(came, [40_000, ["rtc"], ["rtc"]]);
  await tab.close();
});

test("a flipped bit is refused: in a request by the request's signature, in an event by its own", async () => {
  const [hub, guest] = [await browser.tab(), await browser.tab()];
  const link = await hub.evaluate(async () => {
    window.server = await hublet.open({ name: "tamper hub", store: "memory" });
    window.room = await server.createRoom({ public: true });
    return room.link();
  });
  await guest.evaluate(async (link) => {
    window.server = await hublet.open({ name: "tamper guest", store: "memory" });
    window.room = await server.joinRoom(link);
  }, link);
  const flipped = (where) =>
    guest.evaluate(async (where) => {
      const seen = new Promise((resolve) => server.addEventListener("traffic", ({ detail }) => detail.tampered && resolve(detail)));
      const refused = new Promise((resolve) => room.addEventListener("event", ({ detail }) => detail.status !== "sending" && detail.txn === where && resolve(detail.status)));
      await server.tamper(where);
      await room.sendMessage("flip me", { txn: where });
      const { status, refused: byEvent } = await seen;
      return [status, Object.values(byEvent), await refused];
    }, where);
  const [status, none, later] = await flipped("request");
  assert.deepEqual([status, none, later], [401, [], "sent"]);
  const [ok, reasons, outcome] = await flipped("event");
  assert.equal(ok, 200);
  assert.equal(reasons.length, 1);
  assert.match(reasons[0], /hash|signature/);
  assert.ok(["refused", "sent"].includes(outcome), outcome);
});

test("the proof of an event covers its hashes and both signatures", async () => {
  const tab = await browser.tab();
  const proof = await tab.evaluate(async () => {
    const server = await hublet.open({ name: "proof", store: "memory" });
    const room = await server.createRoom({ name: "P" });
    const { eventId } = await room.sendMessage("prove it");
    const proof = await room.proof(eventId);
    const hash = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", proof.contentHash.covers)))).replace("=", "");
    return { same: proof.eventId === eventId, stated: proof.contentHash.stated === hash, computed: proof.contentHash.computed === hash, signatures: proof.signatures.map(({ as, valid }) => [as, valid]) };
  });
  assert.deepEqual(proof, { same: true, stated: true, computed: true, signatures: [["both", true]] });
  await tab.close();
});

test("a room and a whole server are exported, and the server is brought back elsewhere", async () => {
  const tab = await browser.tab();
  const came = await tab.evaluate(async () => {
    const first = await hublet.open({ name: "export", user: "ann", key: "sealed" });
    const room = await first.createRoom({ name: "Kept" });
    await room.sendMessage("keep me");
    const lines = (await (await first.exportRoom(room.roomId)).text()).trim().split("\n");
    const file = await first.exportServer();
    await first.close();
    const second = await hublet.open({ name: "import", user: "ann" });
    const other = second.server;
    const wrong = await second.importServer(new Blob(["no export"])).catch(({ code }) => code);
    await second.close();
    const third = await hublet.open({ name: "import", user: "ann" });
    await third.importServer(file);
    const fourth = await hublet.open({ name: "import", user: "ann" });
    const { events } = await (await fourth.room(room.roomId)).timeline();
    return { lines: lines.length, last: JSON.parse(lines.at(-1)).content.body, wrong, isOther: other !== first.server, same: fourth.server === first.server, keys: [first.key, second.key, fourth.key], events: events.length };
  });
  assert.deepEqual(came, { lines: 7, last: "keep me", wrong: "store", isOther: true, same: true, keys: ["sealed", "platform", "sealed"], events: 7 });
  await tab.close();
});
