import { gzipSync } from "node:zlib";

import type { Plugin } from "vite";

type Output = Parameters<Extract<Plugin["generateBundle"], Function>>[1][string];

/**
 * Prints what each file weighs gzipped, and fails the build when what the first screen needs is over `budget` kilobytes: the page, its scripts and its styles, without what is
 * loaded when opened, and without the module and its worker.
 */
export function sizes(budget: number): Plugin {
  return {
    name: "sizes",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      const first = firstOf(bundle);
      let sum = 0;
      const lines = Object.values(bundle).map((output) => {
        const bytes = gzipped(output);
        if (first.has(output.fileName)) sum += bytes;
        return { name: output.fileName, bytes, first: first.has(output.fileName) };
      });
      lines.sort((a, b) => Number(b.first) - Number(a.first) || b.bytes - a.bytes);
      for (const { name, bytes, first } of lines) console.log(`size ${kilobytes(bytes).padStart(8)} kB ${first ? "first" : "later"} ${name}`);
      console.log(`size ${kilobytes(sum).padStart(8)} kB first in all, of ${budget}`);
      if (sum > budget * 1000) this.error(`the first screen needs ${kilobytes(sum)} kB, more than ${budget}`);
    },
  };
}

/** The page's entry, what it imports at once, and every style that belongs to these. */
function firstOf(bundle: Record<string, Output>): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const output = bundle[name];
    if (found.has(name) || output?.type !== "chunk") return;
    found.add(name);
    output.imports.forEach(visit);
    output.viteMetadata?.importedCss.forEach((style) => found.add(style));
  };
  for (const output of Object.values(bundle)) {
    if (output.type === "chunk" && output.isEntry) visit(output.fileName);
    if (output.fileName.endsWith(".html")) found.add(output.fileName);
  }
  return found;
}

function gzipped(output: Output): number {
  return gzipSync(output.type === "chunk" ? output.code : output.source, { level: 9 }).length;
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}
