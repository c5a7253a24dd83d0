// Draws docs/demo.png, the picture in the README: a room after a talk, a refusal and an absence, with one event under the glass.
import { placed, say, start } from "./support/demo.js";

const demo = await start({ viewport: { width: 1360, height: 850 } });
try {
  const { hub, guest } = await demo.pair();
  const talk = async (who, text) => {
    await say(who, text);
    await placed(hub, text);
    await placed(guest, text);
  };
  await talk(hub, "Is this on one line?");
  await talk(guest, "It is. Your tab is the hub: it put my event behind yours.");
  await guest.getByRole("button", { name: "in an event" }).click();
  await say(guest, "What if a bit of this flips on its way?");
  await guest.locator(".message.refused").waitFor();
  await guest.getByRole("switch", { name: "Online" }).click();
  await say(guest, "I have pulled the plug.");
  await say(hub, "And I go on without you.");
  await placed(hub, "And I go on without you.");
  await guest.waitForTimeout(500);
  await guest.getByRole("switch", { name: "Offline" }).click();
  await placed(guest, "I have pulled the plug.");
  await placed(hub, "I have pulled the plug.");
  await talk(hub, "Welcome back: same line, same order.");
  await guest.bringToFront();
  for (const close of await guest.getByRole("button", { name: "Close this notice" }).all()) await close.click();
  await guest.locator(".message", { hasText: "I have pulled" }).getByRole("button").click();
  await guest.locator(".seal", { hasText: "Content hash" }).click();
  await guest.waitForTimeout(1000);
  await guest.screenshot({ path: new URL("../../docs/demo.png", import.meta.url).pathname });
} finally {
  await demo.stop();
}
