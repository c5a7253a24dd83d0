// What the site is for, in two tabs: one line, from which nothing that was spoiled is taken, which heals, and whose hub moves.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { line, placed, say, sayings, shot, start } from "./support/demo.js";

let demo;
let hub;
let guest;

before(async () => {
  demo = await start();
  ({ hub, guest } = await demo.pair());
});

after(() => demo?.stop());

test("messages go both ways, and both tabs show the same line", async () => {
  await say(hub, "Is this on one line?");
  await placed(guest, "Is this on one line?");
  await say(guest, "It is: your tab put it behind what was there.");
  await placed(hub, "It is: your tab put it behind what was there.");
  await placed(guest, "It is: your tab put it behind what was there.");
  const [there, here] = [await line(hub), await line(guest)];
  assert.ok(there.length >= 8);
  assert.deepEqual(here, there);
  there.slice(1).forEach(({ before }, index) => assert.equal(before, there[index].own));
  await hub.locator(".status.on", { hasText: "This tab is the hub" }).waitFor();
  await guest.locator(".status.on", { hasText: "Hub: Cobalt" }).waitFor();
});

test("typing is told, and who has read how far", async () => {
  await guest.bringToFront();
  await guest.getByRole("textbox", { name: "Message" }).pressSequentially("And");
  await hub.locator(".typing", { hasText: "Neon is typing" }).waitFor();
  await guest.getByRole("textbox", { name: "Message" }).fill("");
  await hub.bringToFront();
  await say(hub, "Have you read this?");
  await placed(guest, "Have you read this?");
  await guest.bringToFront();
  await hub.locator(".reader", { hasText: "read by Neon" }).waitFor();
});

test("each hash and signature lights up the bytes that it covers", async () => {
  await hub.bringToFront();
  await hub.locator(".message", { hasText: "It is: your tab" }).getByRole("button").click();
  await hub.locator(".seal").first().waitFor();
  const lit = async (name) => {
    await hub.locator(".seal", { hasText: name }).first().hover();
    await hub.locator(".seal.lit", { hasText: name }).first().waitFor();
    return hub.locator(".json .covered").allTextContents();
  };
  const body = '"It is: your tab put it behind what was there."';
  assert.ok((await lit("Content hash")).includes(body));
  assert.ok(!(await lit("Event ID")).includes(body), "an event's ID does not cover its content but by the hash");
  assert.deepEqual(await hub.locator(".verdict").allTextContents(), ["holds", "holds", "holds", "holds", "holds"]);
  const text = (await hub.locator(".json-field").allTextContents()).join("");
  assert.equal(JSON.parse(text).content.body, JSON.parse(body));
  await shot(hub, "line-bytes");
});

for (const [where, words] of [
  ["in an event", /hash|signature/],
  ["in a request", /signature/],
]) {
  test(`a bit flipped ${where} is refused, which the line shows`, async () => {
    await guest.bringToFront();
    const before = await guest.locator(".refusal").count();
    await guest.getByRole("button", { name: where }).click();
    await guest.locator(".armed").waitFor();
    await say(guest, `Spoiled on its way, ${where}`);
    await guest.locator(".refusal").nth(before).waitFor();
    assert.match(await guest.locator(".refusal text").last().textContent(), words);
    await shot(guest, `line-refused-${where.split(" ").at(-1)}`);
  });
}

test("what a spoiled request carried is sent again, and then taken", async () => {
  await placed(hub, "Spoiled on its way, in a request");
  assert.ok(!(await sayings(hub)).includes("Spoiled on its way, in an event"));
  await guest.locator(".message.refused", { hasText: "Spoiled on its way, in an event" }).waitFor();
});

test("what is said offline on both sides comes together on one line", async () => {
  await guest.getByRole("switch", { name: "Online" }).click();
  await guest.locator(".status.off").waitFor();
  await say(guest, "Said while away, first");
  await say(guest, "Said while away, second");
  await guest.locator(".message.sending").nth(1).waitFor();
  await say(hub, "Meanwhile at the hub");
  await placed(hub, "Meanwhile at the hub");
  await shot(guest, "line-offline");
  assert.ok(!(await sayings(guest)).includes("Meanwhile at the hub"));
  await guest.getByRole("switch", { name: "Offline" }).click();
  for (const text of ["Meanwhile at the hub", "Said while away, first", "Said while away, second"]) {
    await placed(guest, text);
    await placed(hub, text);
  }
  assert.deepEqual(await sayings(guest), await sayings(hub));
  assert.deepEqual((await sayings(guest)).slice(-3), ["Meanwhile at the hub", "Said while away, first", "Said while away, second"]);
  assert.deepEqual(await line(guest), await line(hub));
  await shot(guest, "line-healed");
});

test("the hub moves to the other tab, and its mark with it", async () => {
  await hub.getByRole("button", { name: "Hand the hub to Neon" }).click();
  await guest.locator(".status", { hasText: "This tab is the hub" }).waitFor();
  await hub.locator(".status", { hasText: "Hub: Neon" }).waitFor();
  await say(hub, "You order it now");
  await placed(guest, "You order it now");
  await placed(hub, "You order it now");
  // The old hub placed the event that moves the room, the new one what came after it.
  const colour = (name) => hub.locator(".lane-head", { hasText: name }).locator(".cell").evaluate((cell) => cell.style.getPropertyValue("--colour"));
  const stamps = await hub.locator(".event").evaluateAll((events) => events.slice(-2).map((event) => event.style.getPropertyValue("--hub")));
  assert.deepEqual(stamps, [await colour("Cobalt"), await colour("Neon")]);
  await shot(hub, "line-transferred");
});

test("nothing went wrong on the way", () => assert.deepEqual(demo.errors, []));
