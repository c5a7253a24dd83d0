// The quick start of the README, as it stands there, over the package as it is packed: two tabs talk.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { installPacked } from "../packing.js";
import { start } from "./browser.js";

let packed;
let browser;

before(async () => {
  packed = installPacked();
  const readme = readFileSync(join(packed.installed, "README.md"), "utf8").split("## In a page")[1];
  writeFileSync(join(packed.folder, "index.html"), /```html\n([^]*?)```/.exec(readme)[1]);
  writeFileSync(join(packed.folder, "main.js"), /```js\n([^]*?)```/.exec(readme)[1]);
  browser = await start({ root: packed.folder });
});

after(async () => {
  await browser?.stop();
  packed?.remove();
});

const said = (tab, body) => tab.waitForFunction((body) => [...document.querySelectorAll("li")].some((line) => line.textContent.endsWith(`: ${body}`)), body);

async function say(tab, body) {
  await tab.fill("input", body);
  await tab.press("input", "Enter");
}

test("two tabs talk by the quick start, and a reload shows what was said", async () => {
  const hub = await browser.context.newPage();
  await hub.goto(`${browser.url}index.html`);
  await hub.waitForFunction(() => document.title);
  const guest = await browser.context.newPage();
  await guest.goto(await hub.title());
  await guest.waitForFunction(() => document.title);
  await say(hub, "Hello from the hub");
  await said(guest, "Hello from the hub");
  await say(guest, "Hello from the guest");
  await said(hub, "Hello from the guest");
  await hub.reload();
  await said(hub, "Hello from the guest");
  await guest.close();
  await hub.close();
});
