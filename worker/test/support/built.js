// Modules of the worker as Node loads them.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The module of that name in `src/`, with what it imports. */
export async function built(name) {
  const outfile = file(`../../dist/test/${name}.js`);
  await build({ entryPoints: [file(`../../src/${name}.ts`)], outfile, bundle: true, external: ["hublet"], format: "esm", logLevel: "warning" });
  return import(outfile);
}
