// How the site looks: light and dark, wide and as narrow as 360 pixels. The pictures are for people to look at.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cutOff, faint } from "../support/reading.js";
import { placed, say, shot, start } from "../support/demo.js";

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 740 } };
const TALK = [
  [0, "Is this on one line?"],
  [1, "It is. Your tab is the hub, it put my event behind yours."],
  [0, "And if I change a byte of it afterwards?"],
  [1, "Then its hash is another one, and the next event does not fit any more. Try it: flip a bit in flight."],
];

for (const colorScheme of ["dark", "light"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`${colorScheme}, ${size}: nothing is cut off or too faint to read`, async () => {
      const demo = await start({ colorScheme, viewport });
      try {
        const name = (what) => `looks-${colorScheme}-${size}-${what}`;
        const check = async (tab, what) => {
          await shot(tab, name(what));
          const [inner, all, down] = await tab.evaluate(() => [innerWidth, document.documentElement.scrollWidth, scrollY]);
          assert.ok(all <= inner, `${what} is ${all} wide in ${inner}`);
          assert.equal(down, 0, `${what} has moved up by ${down}`);
          assert.deepEqual(await tab.evaluate(cutOff), [], what);
          assert.deepEqual(await tab.evaluate(faint), [], what);
        };
        const first = await demo.tab("Cobalt");
        await first.waitForTimeout(1800);
        await check(first, "choose");
        const { hub, guest } = await demo.pair();
        for (const [who, text] of TALK) {
          await say([hub, guest][who], text);
          await placed(hub, text);
        }
        await check(hub, "room");
        await hub.getByRole("tab", { name: "Event" }).click();
        await hub.locator(".seal").first().waitFor();
        await hub.locator(".seal", { hasText: "Content hash" }).click();
        await check(hub, "event");
        for (const panel of ["Sensors", "Call", "Scene"]) {
          await hub.getByRole("tab", { name: panel }).click();
          await hub.locator(`.panel-${panel.toLowerCase()} button`).first().waitFor();
          await check(hub, panel.toLowerCase());
        }
        await hub.getByRole("button", { name: "Invite" }).click();
        await hub.locator(".qr svg").waitFor();
        await check(hub, "invite");
      } finally {
        await demo.stop();
      }
    });
  }
}

test("the switch of colours goes through what the system says, light and dark", async () => {
  const demo = await start({ colorScheme: "dark" });
  try {
    const tab = await demo.tab("Cobalt");
    const paper = () => tab.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const seen = [await paper()];
    for (const name of ["as the system", "light", "dark"]) {
      await tab.getByRole("button", { name: `Colours: ${name}` }).click();
      await tab.getByRole("button", { name: "Colours" }).and(tab.locator(`:not([aria-label="Colours: ${name}"])`)).waitFor();
      seen.push(await paper());
    }
    const [system, light, dark, again] = seen;
    assert.notEqual(light, dark);
    assert.deepEqual([system, again], [dark, dark]);
  } finally {
    await demo.stop();
  }
});
