// Everything can be done without a mouse.
import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "../support/demo.js";

test("a room is made, spoken in and looked into by keys alone", async () => {
  const demo = await start();
  try {
    const tab = await demo.tab("Cobalt");
    const focused = () => tab.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim());
    const tabTo = async (wanted) => {
      for (let turn = 0; turn < 40; turn += 1) {
        await tab.keyboard.press("Tab");
        if (wanted.test(await focused())) return;
      }
      assert.fail(`no way by keys to ${wanted}`);
    };
    const seen = () => tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);

    await tabTo(/^Make a room$/);
    assert.notEqual(await seen(), "none");
    await tab.keyboard.press("Enter");
    await tab.locator(".tape").waitFor();

    await tab.getByRole("textbox", { name: "Message" }).focus();
    await tab.keyboard.type("By keys");
    await tab.keyboard.press("Enter");
    await tab.locator(".message.sent", { hasText: "By keys" }).waitFor();

    // The last event of the line is one stop; the arrows go on from there.
    await tab.keyboard.press("Shift+Tab");
    await tab.locator(".event[tabindex='0']").focus();
    const [last] = (await focused()).match(/\d+/);
    await tab.keyboard.press("ArrowLeft");
    await tab.waitForFunction((last) => document.activeElement.getAttribute("aria-label")?.startsWith(`${last - 1}:`), Number(last));
    assert.match(await focused(), /of 7 checks$/);
    await tab.keyboard.press("Home");
    await tab.waitForFunction(() => document.activeElement.getAttribute("aria-label")?.startsWith("0: create"));
    assert.equal(await tab.locator(".event-title h2").textContent().then((text) => text.includes("create")), true);
    await tab.keyboard.press("End");
    await tab.waitForFunction((last) => document.activeElement.getAttribute("aria-label")?.startsWith(`${last}:`), Number(last));

    await tab.locator(".seal input").first().focus();
    await tab.keyboard.press("ArrowDown");
    await tab.locator(".seal:nth-of-type(2).lit").waitFor();

    await tab.locator("[role=tab][aria-selected=true]").focus();
    await tab.keyboard.press("ArrowRight");
    await tab.waitForFunction(() => document.activeElement.id === "tab-sensors" && document.activeElement.getAttribute("aria-selected") === "true");

    await tab.getByRole("button", { name: "Invite" }).focus();
    await tab.keyboard.press("Enter");
    await tab.getByRole("dialog", { name: "Invite" }).waitFor();
    await tab.keyboard.press("Escape");
    await tab.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await focused(), "Invite");
    assert.deepEqual(demo.errors, []);
  } finally {
    await demo.stop();
  }
});

test("what moves rests for those who ask for it", async () => {
  const demo = await start({ reducedMotion: "reduce" });
  try {
    const { hub } = await demo.pair();
    const longest = await hub.locator(".arriving").last().evaluate((element) => parseFloat(getComputedStyle(element).animationDuration));
    assert.ok(longest < 0.001);
  } finally {
    await demo.stop();
  }
});
