// Links over HTTP for longer: what they leave behind, and who sleeps meanwhile. LINK_REQUESTS says how many requests are asked (2,000).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { start } from "../../../pkg/test/tabs/browser.js";
import { Caller } from "../support/caller.js";
import { Hub } from "../support/hubs.js";

const REQUESTS = Number(process.env.LINK_REQUESTS ?? 2_000);

test(`${REQUESTS} requests leave nothing behind in a tab`, async (t) => {
  const hub = await Hub.start(t);
  const browser = await start();
  after(() => browser.stop());
  const tab = await browser.tab();
  await tab.evaluate(
    async ({ name, url }) => {
      window.server = await hublet.open({ name: "memory", store: "memory", links: { tabs: false } });
      await server.connectHttp(name, url);
    },
    { name: hub.name, url: `http://${hub.name}/_hublet/link` },
  );
  const [worker] = tab.workers();
  /** What the module has taken in bytes, and for how many objects of JavaScript's it has room. */
  const held = () =>
    worker.evaluate(async () => {
      const { default: running } = await import("/browser/module/hublet.js");
      const { memory, ...others } = await running();
      const tables = Object.values(others).filter((one) => one instanceof WebAssembly.Table);
      return { bytes: memory.buffer.byteLength, objects: tables.map(({ length }) => length) };
    });
  /** Asks for rooms that are not there: each time a POST of the tab's, and one or two that wait. How many requests went over the link. */
  const ask = (times) =>
    tab.evaluate(
      async ({ name, times }) => {
        let asked = 0;
        server.addEventListener("traffic", ({ detail }) => (asked += Number(detail.link === "http")));
        for (let number = 0; number < times; number++) await server.joinRoom(`!none:${name}`).catch(() => undefined);
        return asked;
      },
      { name: hub.name, times },
    );
  await ask(300);
  const before = await held();
  assert.equal(await ask(REQUESTS), REQUESTS);
  assert.deepEqual(await held(), before);
});

test("a hub that forgets who sleeps does not forget who waits", async (t) => {
  const hub = await Hub.start(t, { forgets: true });
  const caller = await new Caller(hub).connect();
  const asking = caller.until("request");
  await sleep(30_000);
  const asked = caller.beAsked();
  const { id, from } = await asking;
  await caller.send({ kind: "response", id, to: from, status: 404, body: JSON.stringify({ errcode: "M_NOT_FOUND", error: "there is no such room here" }) });
  assert.equal((await asked).status, 404);
});
