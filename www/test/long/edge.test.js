// A hub at the edge, in workerd on this machine: a tab joins its room over a WebSocket, and so does whoever follows that tab's invite.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub, saying } from "../../../worker/test/support/hubs.js";
import { line, placed, say, shot, start } from "../support/demo.js";

test("a room at the edge is joined by its address, by its invite, and found again after a reload", async (t) => {
  const edge = await Hub.start(t);
  const roomId = await edge.createRoom();
  const demo = await start();
  try {
    const first = await demo.tab("Cobalt");
    await first.getByRole("textbox", { name: "Address" }).fill(`ws://${edge.name}/_hublet/link`);
    await first.getByRole("textbox", { name: "Room", exact: true }).fill(roomId);
    await first.getByRole("button", { name: "Connect" }).click();
    await first.locator(".status.on").waitFor();
    await say(first, "From a tab");
    await placed(first, "From a tab");
    await edge.shows(roomId, saying("From a tab"));
    await edge.say(roomId, edge.user("hal"), "From the edge");
    await placed(first, "From the edge");

    const second = await demo.tab("Neon", first.url());
    await placed(second, "From the edge");
    await say(second, "By the invite");
    await placed(first, "By the invite");
    assert.deepEqual((await line(second)).slice(-3), (await line(first)).slice(-3));
    await shot(second, "edge");

    await first.reload();
    await placed(first, "By the invite");
    await first.locator(".status.on").waitFor();
    await say(first, "Back again");
    await placed(second, "Back again");
    assert.deepEqual(demo.errors, []);
  } finally {
    await demo.stop();
  }
});

test("a hub that is not there is told so", async () => {
  const demo = await start();
  try {
    const tab = await demo.tab("Cobalt");
    await tab.getByRole("textbox", { name: "Address" }).fill("ws://localhost:9/_hublet/link");
    await tab.getByRole("textbox", { name: "Room", exact: true }).fill("!room:localhost:9");
    await tab.getByRole("button", { name: "Connect" }).click();
    await tab.getByRole("alert").filter({ hasText: "no hub called localhost:9" }).waitFor();
  } finally {
    await demo.stop();
  }
});
