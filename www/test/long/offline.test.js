// Once loaded the site needs no network, and neither do the rooms that are here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeRoom, placed, say, start } from "../support/demo.js";

test("with the site's server gone a tab opens anew, with its room and what was said there", async () => {
  const demo = await start();
  try {
    const tab = await demo.tab("Cobalt");
    await makeRoom(tab);
    await say(tab, "Kept here");
    await placed(tab, "Kept here");
    await tab.evaluate(() => navigator.serviceWorker.ready);
    await tab.waitForFunction(() => navigator.serviceWorker.controller !== null);
    demo.server.closeAllConnections();
    await new Promise((closed) => demo.server.close(closed));
    await tab.reload();
    await placed(tab, "Kept here");
    await tab.locator(".status.on", { hasText: "This tab is the hub" }).waitFor();
    await tab.getByRole("tab", { name: "Scene" }).click();
    await tab.locator(".stage canvas").waitFor();
    await say(tab, "And it goes on");
    await placed(tab, "And it goes on");
    assert.deepEqual(demo.errors, []);
  } finally {
    await demo.stop();
  }
});
