// A room from its export: it goes on where it ended, or it is not there at all.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./browser.js";

let browser;

before(async () => {
  browser = await start();
});

after(() => browser?.stop());

/** In the page: a server that lost the room but not its key, and the room's export. `large` messages make several pages of it. */
const lose = (tab, name, large = 0) =>
  tab.evaluate(
    async ({ name, large }) => {
      const first = await hublet.open({ name: `${name} before`, user: "hal", key: "sealed" });
      const key = await first.exportServer();
      window.kept = await first.createRoom({ name: "Kept", public: true });
      await kept.sendMessage("keep me");
      for (let number = 0; number < large; number++) await kept.sendMessage(`${number} ${"x".repeat(50_000)}`);
      window.log = await first.exportRoom(kept.roomId);
      await first.close();
      const empty = await hublet.open({ name, user: "hal" });
      await empty.importServer(key);
      window.server = await hublet.open({ name, user: "hal" });
      window.refused = (file) => server.importRoom(file).then(() => "none", ({ code, errcode, message }) => [code, errcode ?? "", message]);
      window.isHere = () => server.room(kept.roomId).then(() => true, () => false);
      return { roomId: kept.roomId, size: log.size, server: server.server === first.server };
    },
    { name, large },
  );

test("a hub that lost a room goes on with it, and a guest hears it", async () => {
  const tab = await browser.tab();
  const lost = await lose(tab, "hub");
  assert.ok(lost.server);
  const back = await tab.evaluate(async () => {
    const before = await isHere();
    window.room = await server.importRoom(log);
    await room.sendMessage("and on");
    const { events } = await room.timeline();
    return { before, roomId: room.roomId, isHub: room.isHub, name: room.name, rooms: await server.rooms(), link: room.link(), last: events.slice(-2).map(({ content }) => content.body), again: await refused(log), passed: events.every(({ checks }) => checks.length === 7) };
  });
  assert.deepEqual(back, {
    before: false,
    roomId: lost.roomId,
    isHub: true,
    name: "Kept",
    rooms: [{ roomId: lost.roomId, membership: "join", name: "Kept", hub: lost.roomId.split(":")[1] }],
    link: back.link,
    last: ["keep me", "and on"],
    again: ["refused", "M_BAD_STATE", "the room is here; a log is restored only where there is none"],
    passed: true,
  });
  const guest = await browser.tab();
  const heard = await guest.evaluate(async (link) => {
    const server = await hublet.open({ name: "guest", user: "ann" });
    const room = await server.joinRoom(link);
    return (await room.timeline()).events.map(({ content }) => content.body).filter(Boolean);
  }, back.link);
  assert.deepEqual(heard, ["keep me", "and on"]);
  assert.deepEqual([...tab.errors, ...guest.errors], []);
  await guest.close();
  await tab.close();
});

test("a log of several pages is taken whole, or for one wrong letter not at all", async () => {
  const tab = await browser.tab();
  const lost = await lose(tab, "pages", 12);
  assert.ok(lost.size > 600_000, `${lost.size} bytes are more than two pages`);
  const came = await tab.evaluate(async () => {
    const lines = (await log.text()).trimEnd().split("\n");
    const spoiled = lines.with(16, lines[16].replace("xxx", "yyy"));
    const wrong = {
      letter: await refused(new Blob([spoiled.join("\n")])),
      order: await refused(new Blob([lines.with(3, lines[4]).with(4, lines[3]).join("\n")])),
      cut: await refused(new Blob([lines.slice(1).join("\n")])),
      none: await refused(new Blob(["hello"])),
      empty: await refused(new Blob([])),
    };
    const before = await isHere();
    // Without a line feed at the end, too.
    const room = await server.importRoom(new Blob([lines.join("\n")]));
    return { wrong, before, length: lines.length, events: (await room.timeline({ limit: 1_000 })).events.length, same: (await (await room.export()).text()) === (await log.text()) };
  });
  assert.match(came.wrong.letter[2], /^line 17: hash: /);
  assert.match(came.wrong.order[2], /^line 4: chain: /);
  assert.match(came.wrong.cut[2], /^line 1: schema: a log begins with/);
  assert.deepEqual([came.wrong.letter, came.wrong.order, came.wrong.cut].map(([code]) => code), ["refused", "refused", "refused"]);
  assert.deepEqual([came.wrong.none[0], came.wrong.empty[0]], ["argument", "argument"]);
  assert.deepEqual([came.before, came.events, came.same], [false, came.length, true]);
  await tab.close();
});

test("an import goes on when the tab that writes closes in the middle of it", async () => {
  const writer = await browser.tab();
  const lost = await lose(writer, "heir", 20);
  const heir = await browser.tab();
  await heir.evaluate(async () => {
    window.server = await hublet.open({ name: "heir", user: "hal" });
    if (server.role !== "proxy") throw new Error("writes");
    // The export comes from the other tab, in the way that pages of one origin have.
    const channel = new BroadcastChannel("log");
    window.coming = new Promise((resolve) => (channel.onmessage = ({ data }) => resolve(data)));
  });
  await writer.evaluate(() => new BroadcastChannel("log").postMessage(log));
  await heir.evaluate(async () => {
    const file = await coming;
    // Its second page is what the import waits for: then the writer has the first.
    const slice = file.slice.bind(file);
    const second = new Promise((resolve) => (window.goOn = resolve));
    window.asked = false;
    file.slice = (from, to) => ({
      text: () => slice(from, to).text(),
      async arrayBuffer() {
        if (from > 0 && !asked) {
          window.asked = true;
          await second;
        }
        return slice(from, to).arrayBuffer();
      },
    });
    window.importing = server.importRoom(file);
  });
  await heir.waitForFunction(() => asked);
  await writer.close();
  await heir.waitForFunction(() => server.role === "writer");
  const came = await heir.evaluate(async () => {
    goOn();
    const room = await importing;
    await room.sendMessage("and on");
    return { roomId: room.roomId, events: (await room.timeline({ limit: 1_000 })).events.length, isHub: room.isHub };
  });
  assert.deepEqual(came, { roomId: lost.roomId, events: 28, isHub: true });
  await heir.close();
});
