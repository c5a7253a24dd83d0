// What a server in a tab costs, in headless Chromium: one "bench NAME VALUE UNIT" a line. The page's clock; medians where there is more than one.
import assert from "node:assert/strict";
import { start, visit } from "../test/tabs/browser.js";

const EVENTS = Number(process.env.HUBLET_EVENTS ?? 10_000);

const say = (name, value, unit) => console.log(`bench ${name} ${Number(value.toPrecision(4))} ${unit}`);

const browser = await start();
try {
  const tab = await browser.tab();
  const made = await tab.evaluate(async (count) => {
    const begun = performance.now();
    const server = await hublet.open({ name: "bench" });
    const opened = performance.now();
    const room = await server.createRoom({ name: "Bench", public: true });
    const created = performance.now();
    for (let number = 0; number < 100; number++) await room.sendMessage(`one by one ${number}`);
    const one = performance.now();
    let longest = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last - 10);
      last = performance.now();
    }, 10);
    for (let sent = 100; sent < count; ) {
      const many = Math.min(50, count - sent);
      await Promise.all(Array.from({ length: many }, (_, number) => room.sendMessage(`number ${sent + number}`)));
      sent += many;
    }
    clearInterval(watch);
    const all = performance.now();
    return { roomId: room.roomId, open: opened - begun, create: created - opened, one: one - created, all: all - one, longest };
  }, EVENTS);
  say("browser_open_fresh", made.open, "ms");
  say("browser_create_room", made.create, "ms");
  say("browser_send_one_by_one", 100_000 / made.one, "events/s");
  say("browser_send_fifty_at_once", ((EVENTS - 100) * 1_000) / made.all, "events/s");
  say("browser_page_longest_wait", made.longest, "ms");

  const opens = [];
  for (let turn = 0; turn < 5; turn++) {
    await visit(tab, browser.url);
    const { first, ...times } = await tab.evaluate(async (roomId) => {
      const begun = performance.now();
      const server = await hublet.open({ name: "bench" });
      const opened = performance.now();
      const room = await server.room(roomId);
      const { events } = await room.timeline();
      return { open: opened - begun, room: performance.now() - opened, first: events.length };
    }, made.roomId);
    assert.equal(first, 50);
    opens.push(times);
  }
  const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
  say("browser_open_server", median(opens.map(({ open }) => open)), "ms");
  say(`browser_open_room_${EVENTS}`, median(opens.map(({ room }) => room)), "ms");

  // By turns, so that what else the machine does falls on both alike.
  const byKey = await tab.evaluate(async () => {
    const kinds = ["platform", "sealed"];
    const servers = await Promise.all(kinds.map((key) => hublet.open({ name: `bench ${key}`, key })));
    const times = { platform: { room: [], send: [] }, sealed: { room: [], send: [] } };
    for (let turn = 0; turn < 30; turn++) {
      for (const server of servers) {
        const begun = performance.now();
        const room = await server.createRoom({ name: "By turns", public: true });
        const made = performance.now();
        for (let number = 0; number < 5; number++) await room.sendMessage(`number ${number}`);
        times[server.key].room.push(made - begun);
        times[server.key].send.push((performance.now() - made) / 5);
      }
    }
    return times;
  });
  for (const [key, { room, send }] of Object.entries(byKey)) {
    assert.equal(room.length, 30);
    say(`browser_create_room_${key}`, median(room), "ms");
    say(`browser_send_${key}`, median(send), "ms");
  }

  const guest = await browser.tab();
  const link = await tab.evaluate(async (roomId) => {
    window.server = await hublet.open({ name: "bench hub" });
    window.room = await server.createRoom({ public: true });
    return room.link();
  });
  const echoes = await guest.evaluate(async (link) => {
    const server = await hublet.open({ name: "bench guest" });
    const room = await server.joinRoom(link);
    const times = [];
    for (let number = 0; number < 100; number++) {
      const txn = `e${number}`;
      const begun = performance.now();
      const sent = new Promise((resolve) => {
        const came = ({ detail }) => {
          if (detail.txn !== txn || detail.status !== "sent") return;
          room.removeEventListener("event", came);
          resolve();
        };
        room.addEventListener("event", came);
      });
      await room.sendMessage("echo", { txn });
      await sent;
      times.push(performance.now() - begun);
    }
    return times.sort((a, b) => a - b);
  }, link);
  say("browser_echo_p50", echoes[50], "ms");
  say("browser_echo_p95", echoes[95], "ms");
} finally {
  await browser.stop();
}
