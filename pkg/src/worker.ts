// The worker: it holds the module, and the page's first message opens the tab's part of a server. All rules are in the module.
import init, { Tab } from "./module/hublet.js";

const scope = self as unknown as { onmessage: ((event: MessageEvent) => void) | null; postMessage(message: unknown): void };
let tab: Tab | undefined;
const early: unknown[] = [];

function take(message: unknown): void {
  if (tab) return tab.take(message);
  try {
    tab = new Tab(message);
  } catch (error) {
    scope.postMessage({ id: 0, error: { code: "argument", message: String(error) } });
  }
}

scope.onmessage = ({ data }) => void early.push(data);
init({ module_or_path: new URL("./module/hublet_bg.wasm", import.meta.url) }).then(
  () => {
    scope.onmessage = ({ data }) => take(data);
    for (const message of early.splice(0)) take(message);
  },
  (error: unknown) => scope.postMessage({ id: 0, error: { code: "worker", message: `the module cannot be loaded: ${String(error)}` } }),
);
