import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { transformWithOxc, type Plugin } from "vite";

const SOURCE = new URL("../src/offline.ts", import.meta.url);

/** Adds `offline.js`, the service worker, which knows the names of all files of this build and the build's own name. */
export function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    enforce: "post",
    async generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter((name) => !name.endsWith(".map")).sort();
      const digest = createHash("sha256");
      for (const name of files) {
        const output = bundle[name];
        if (output) digest.update(name).update(output.type === "chunk" ? output.code : output.source);
      }
      const { code } = await transformWithOxc(readFileSync(SOURCE, "utf8"), SOURCE.pathname);
      const facts = `const BUILD = ${JSON.stringify(digest.digest("hex").slice(0, 16))};\nconst FILES = ${JSON.stringify(files)};\n`;
      this.emitFile({ type: "asset", fileName: "offline.js", source: facts + code });
    },
  };
}
