// Who keeps a server's key: the browser, or the database where that cannot be or is not wished for. Everything else is the same with either.
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { after, before, test } from "node:test";
import { takesHub } from "./acts.js";
import { start, visit } from "./browser.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

/** The name of the server whose key is of that seed. */
function keyName(seed) {
  const form = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const { x } = createPublicKey(createPrivateKey({ key: form, format: "der", type: "pkcs8" })).export({ format: "jwk" });
  const bits = [...Buffer.from(x, "base64url")].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{1,5}/g).map((five) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(five.padEnd(5, "0"), 2)]);
  return `${letters.join("")}.key.invalid`;
}

/** In the page: makes workers in which `script` has run first, and what the database of a server keeps as its key. */
const prepare = (tab) =>
  tab.evaluate(() => {
    window.workerAfter = (script) => () => {
      const modules = [script, `import ${JSON.stringify(new URL("/browser/worker.js", location.href).href)}`];
      const [first, second] = modules.map((text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      const both = new Blob([`import "${first}"; import "${second}";`], { type: "text/javascript" });
      return new Worker(URL.createObjectURL(both), { type: "module" });
    };
    const done = (request) => new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = () => reject(request.error))));
    window.keptKey = async (name, key) => {
      const opening = indexedDB.open(`hublet:${name}`, 2);
      opening.onupgradeneeded = () => ["rows", "secrets"].forEach((store) => opening.result.createObjectStore(store));
      const database = await done(opening);
      const secrets = database.transaction("secrets", key ? "readwrite" : "readonly").objectStore("secrets");
      const kept = await done(key ? secrets.put(key, "key") : secrets.get("key"));
      database.close();
      return kept;
    };
  });

test("the browser keeps the key, in every tab and after a reload, and does not give it out", async () => {
  const [tab, other] = [await browser.tab(), await browser.tab()];
  await prepare(tab);
  const first = await tab.evaluate(async () => {
    window.server = await hublet.open({ name: "platform" });
    const room = await server.createRoom({ name: "Kept" });
    const { private: key, public: bytes } = await keptKey("platform");
    const refusal = (promise) => promise.then(() => "given", ({ code, name, message }) => [code ?? name, message]);
    const signature = await crypto.subtle.sign("Ed25519", key, new Uint8Array(1));
    return {
      server: server.server,
      key: server.key,
      algorithm: [key.algorithm.name, key.type, key.extractable, bytes.length, signature.byteLength],
      taken: (await refusal(crypto.subtle.exportKey("pkcs8", key)))[1],
      exported: await refusal(server.exportServer()),
      lines: (await (await server.exportRoom(room.roomId)).text()).trim().split("\n").length,
    };
  });
  assert.equal(first.key, "platform");
  assert.deepEqual(first.algorithm, ["Ed25519", "private", false, 32, 64]);
  assert.match(first.taken, /not extractable/);
  assert.equal(first.exported[0], "unsupported");
  assert.match(first.exported[1], /`key: "sealed"`.*`exportRoom`/);
  assert.equal(first.lines, 6);
  const opened = (tab, key) => tab.evaluate(async (key) => ((window.server = await hublet.open({ name: "platform", key })), [server.server, server.key, server.role]), key);
  assert.deepEqual(await opened(other), [first.server, "platform", "proxy"]);
  await visit(tab, browser.url);
  assert.deepEqual((await opened(tab, "sealed")).slice(0, 2), [first.server, "platform"], "a wish is for a server that is made");
  await Promise.all([tab.close(), other.close()]);
});

test("a database of the earlier form goes on with its sealed key, and is exported", async () => {
  const seed = Buffer.alloc(32, 7);
  const tab = await browser.tab();
  await prepare(tab);
  const came = await tab.evaluate(
    async (seed) => {
      const [key, iv] = [await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]), crypto.getRandomValues(new Uint8Array(12))];
      const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new Uint8Array(seed)));
      await keptKey("earlier", { key, iv, sealed });
      const server = await hublet.open({ name: "earlier" });
      const room = await server.createRoom({ name: "Earlier" });
      await room.sendMessage("as before");
      const file = new Uint8Array(await (await server.exportServer()).arrayBuffer());
      return { server: server.server, key: server.key, seed: [...file.slice(16, 48)], sealed: (await keptKey("earlier")).sealed.length };
    },
    [...seed],
  );
  assert.deepEqual(came, { server: keyName(seed), key: "sealed", seed: [...seed], sealed: 48 });
  await tab.close();
});

const lacks = {
  "has no Ed25519": `
    const { generateKey } = SubtleCrypto.prototype;
    SubtleCrypto.prototype.generateKey = function (algorithm, ...more) {
      return algorithm === "Ed25519" ? Promise.reject(new DOMException("", "NotSupportedError")) : generateKey.call(this, algorithm, ...more);
    };`,
  "cannot keep such a key": `
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (value, ...more) {
      if (value.private) throw new DOMException("", "DataCloneError");
      return put.call(this, value, ...more);
    };`,
  "loses such a key": `
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (value, ...more) {
      return put.call(this, value.private ? { public: value.public } : value, ...more);
    };`,
  "signs otherwise": `
    const { sign } = SubtleCrypto.prototype;
    SubtleCrypto.prototype.sign = async function (...given) {
      const signature = await sign.call(this, ...given);
      new Uint8Array(signature)[63] ^= 0x80;
      return signature;
    };`,
};

for (const [what, script] of Object.entries(lacks)) {
  test(`where the browser ${what} the key is sealed`, async () => {
    const tab = await browser.tab();
    await prepare(tab);
    const came = await tab.evaluate(
      async ({ name, script }) => {
        const server = await hublet.open({ name, worker: workerAfter(script) });
        const room = await server.createRoom({ name: "Sealed" });
        await room.sendMessage("said");
        const { size } = await server.exportServer();
        const before = server.server;
        await server.close();
        const again = await hublet.open({ name });
        return { key: server.key, size: size > 1_000, again: [again.server === before, again.key], events: (await (await again.room(room.roomId)).timeline()).events.length };
      },
      { name: `lacks ${what}`, script },
    );
    assert.deepEqual(came, { key: "sealed", size: true, again: [true, "sealed"], events: 7 });
    await tab.close();
  });
}

test("what the browser does not sign is told, is not in the log, and the room goes on", async () => {
  const tab = await browser.tab();
  await prepare(tab);
  const came = await tab.evaluate(async () => {
    const script = `
      const { sign } = SubtleCrypto.prototype;
      let signs = true;
      new BroadcastChannel("signs").onmessage = ({ data }) => (signs = data);
      SubtleCrypto.prototype.sign = function (...given) {
        return signs ? sign.call(this, ...given) : Promise.reject(new DOMException("", "OperationError"));
      };`;
    const server = await hublet.open({ name: "unsigned", worker: workerAfter(script) });
    const room = await server.createRoom({ name: "Unsigned" });
    await room.sendMessage("before");
    const channel = new BroadcastChannel("signs");
    const told = async (signs) => {
      channel.postMessage(signs);
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    await told(false);
    const failed = await Promise.all(["one", "two"].map((txn) => room.sendMessage(txn, { txn }).then(() => "sent", ({ code, message }) => [code, message])));
    await told(true);
    await room.sendMessage("one", { txn: "one" });
    await room.sendMessage("after");
    const { events } = await room.timeline();
    const isChain = events.slice(1).every(({ prevEvents }, at) => prevEvents.join() === events[at].eventId);
    return { failed, isChain, said: events.map(({ content }) => content.body).filter(Boolean) };
  });
  assert.equal(came.failed[0][0], "store");
  assert.match(came.failed[0][1], /no signature/);
  assert.equal(came.failed[1][0], "store");
  assert.deepEqual([came.isChain, came.said], [true, ["before", "one", "after"]]);
  await tab.close();
});

test("such a key proves the server's name over a port, and signs a request over a flipped event", async () => {
  const tab = await browser.tab();
  const came = await tab.evaluate(async () => {
    const links = { tabs: false };
    const [hub, guest] = await Promise.all(["port hub", "port guest"].map((name) => hublet.open({ name, links })));
    const { port1, port2 } = new MessageChannel();
    const named = (await Promise.all([hub.connectPort(port1), guest.connectPort(port2)])).map(({ server }) => server);
    const room = await hub.createRoom({ public: true });
    const there = await guest.joinRoom(room.link());
    const echo = new Promise((resolve) => there.addEventListener("event", ({ detail }) => detail.status === "sent" && detail.txn === "first" && resolve(detail.content.body)));
    await there.sendMessage("over the port", { txn: "first" });
    const said = await echo;
    const seen = new Promise((resolve) => guest.addEventListener("traffic", ({ detail }) => detail.tampered && resolve(detail)));
    await guest.tamper("event");
    await there.sendMessage("flip me");
    const { status, refused } = await seen;
    return { keys: [hub.key, guest.key], isNamed: named.join() === [guest.server, hub.server].join(), said, status, refused: Object.values(refused) };
  });
  assert.deepEqual(came, { keys: ["platform", "platform"], isNamed: true, said: "over the port", status: 200, refused: came.refused });
  assert.equal(came.refused.length, 1);
  assert.match(came.refused[0], /hash|signature/);
  await tab.close();
});

/** Waits until the page's room holds a message. */
const seen = (tab, body) =>
  tab.evaluate(async (body) => {
    for (let turn = 0; turn < 200; turn++) {
      const { events } = await room.timeline();
      if (events.some((event) => event.content.body === body && event.status === "sent" && event.checks.length === 7)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never came: ${body}`);
  }, body);

test("servers with such keys invite, join, talk, outlive reloads and the writer's death, move the hub and leave", async () => {
  const [hub, second, guest] = [await browser.tab(), await browser.tab(), await browser.tab()];
  const open = (tab, name, roomId) =>
    tab.evaluate(
      async ({ name, roomId }) => {
        window.server = await hublet.open({ name, user: "ann" });
        if (server.key !== "platform") throw new Error(`the key is ${server.key}`);
        if (roomId) window.room = await server.room(roomId);
        return server.user;
      },
      { name, roomId },
    );
  await open(hub, "keys hub");
  const user = await open(guest, "keys guest");
  const roomId = await hub.evaluate(async (user) => {
    window.room = await server.createRoom({ name: "Keys" });
    await room.invite(user);
    await room.sendMessage("welcome");
    return room.roomId;
  }, user);
  await open(second, "keys hub", roomId);
  await guest.evaluate(async (roomId) => {
    for (let turn = 0; turn < 100 && (await server.invites()).length === 0; turn++) await new Promise((resolve) => setTimeout(resolve, 50));
    window.room = await server.joinRoom(roomId);
    await room.sendMessage("thanks");
  }, roomId);
  await seen(hub, "thanks");
  await hub.close();
  await second.evaluate(() => room.sendMessage("from the heir"));
  await seen(guest, "from the heir");
  await visit(guest, browser.url);
  await open(guest, "keys guest", roomId);
  await guest.evaluate(() => room.sendMessage("I am back"));
  await seen(second, "I am back");
  await second.evaluate((heir) => room.transferHub(heir), user.split(":")[1]);
  await takesHub(guest);
  await second.waitForFunction((heir) => room.hub === heir, user.split(":")[1]);
  await second.evaluate(() => room.sendMessage("to the new hub"));
  await seen(guest, "to the new hub");
  await second.evaluate(() => room.leave());
  await guest.waitForFunction(async () => (await room.members()).filter(({ membership }) => membership === "join").length === 1);
  assert.deepEqual([...second.errors, ...guest.errors], []);
  await Promise.all([second.close(), guest.close()]);
});
