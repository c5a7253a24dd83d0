// The panels, each of which loads what it needs when it is opened: sensors, call, scene.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shot, start } from "../support/demo.js";

let demo;
let hub;
let guest;

before(async () => {
  demo = await start();
  ({ hub, guest } = await demo.pair());
});

after(() => demo?.stop());

const open = (tab, name) => tab.getByRole("tab", { name }).click();

/** What something looks like, as bytes to compare. */
const picture = async (tab, selector) => (await tab.locator(selector).screenshot()).toString("base64");

test("a sensor that one tab publishes moves a plot in the other, with the time it took", async () => {
  await open(hub, "Sensors");
  await open(guest, "Sensors");
  await hub.bringToFront();
  await hub.getByRole("button", { name: "Publish a sensor" }).click();
  const row = guest.locator(".readings li", { hasText: "Cobalt" });
  await row.waitFor();
  assert.match(await row.textContent(), /synthetic signal/);
  const first = await picture(guest, ".plot canvas");
  await guest.waitForFunction(() => Number(document.querySelector(".latency")?.textContent.match(/of (\d+)/)?.[1]) >= 12);
  assert.ok((await picture(guest, ".plot canvas")) !== first, "the plot did not move");
  const [, median] = (await row.locator(".latency").textContent()).match(/median ([\d.]+) ms/);
  console.log(`bench demo_reading_latency_median ${median} ms`);
  assert.ok(Number(median) > 0 && Number(median) < 2000, `the median latency is ${median} ms`);
  await guest.getByRole("button", { name: "Publish a sensor" }).click();
  await hub.locator(".readings li", { hasText: "Neon" }).waitFor();
  await hub.waitForTimeout(4000);
  await shot(hub, "panel-sensors");
  await hub.getByRole("button", { name: "Stop publishing" }).click();
  await guest.getByRole("button", { name: "Stop publishing" }).click();
});

test("two tabs call each other by events in the room, and each sees the other's picture", async () => {
  await open(hub, "Call");
  await open(guest, "Call");
  await open(guest, "Event");
  await hub.getByRole("button", { name: "Call the room" }).click();
  await guest.bringToFront();
  await guest.locator(".notice", { hasText: "Cobalt is calling" }).waitFor();
  await guest.getByRole("tab", { name: "Call rings" }).click();
  await guest.getByRole("button", { name: "Answer" }).click();
  for (const tab of [hub, guest]) {
    await tab.locator(".pictures[data-stage=talking]").waitFor();
    await tab.waitForFunction(() => {
      const video = document.querySelector("video.theirs");
      return video.videoWidth > 0 && video.currentTime > 0.5;
    });
  }
  await shot(guest, "panel-call");
  const kinds = await hub.locator(".event .label").allTextContents();
  for (const kind of ["call", "answer", "routes"]) assert.ok(kinds.includes(kind), `no ${kind} on the line`);
  await guest.getByRole("button", { name: "Hang up" }).click();
  await hub.locator(".pictures[data-stage=ended]").waitFor();
  assert.equal(await hub.evaluate(() => document.querySelector("video.theirs").srcObject), null);
});

test("an avatar that walks in one tab walks in the other, and leaves no event; an object does", async () => {
  await open(hub, "Scene");
  await open(guest, "Scene");
  const place = (tab, name) => tab.locator(".avatars li", { hasText: name }).locator("output");
  await place(hub, "Neon").waitFor();
  const from = await place(hub, "Neon").textContent();
  const before = await picture(hub, ".stage canvas");
  const events = await hub.locator(".event").count();
  await guest.bringToFront();
  await guest.locator(".stage").focus();
  await guest.keyboard.down("ArrowUp");
  await guest.waitForTimeout(400);
  await guest.keyboard.up("ArrowUp");
  await hub.waitForFunction(([name, from]) => [...document.querySelectorAll(".avatars li")].some((li) => li.textContent.includes(name) && !li.textContent.includes(from)), ["Neon", from]);
  assert.equal(await hub.locator(".event").count(), events);
  await guest.getByRole("button", { name: "Place a cube" }).click();
  await hub.locator(".avatars li", { hasText: "1 object" }).waitFor();
  await hub.bringToFront();
  await hub.getByRole("button", { name: "Place a cone" }).click();
  await guest.locator(".avatars li", { hasText: "2 objects" }).waitFor();
  await guest.waitForTimeout(1500);
  assert.ok((await picture(hub, ".stage canvas")) !== before, "the scene looks as before");
  await shot(hub, "panel-scene");
  await hub.getByRole("button", { name: "Take the nearest away" }).click();
  await guest.locator(".avatars li", { hasText: "1 object" }).waitFor();
});

test("nothing went wrong on the way", () => assert.deepEqual(demo.errors, []));
