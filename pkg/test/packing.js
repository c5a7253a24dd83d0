// The package as users get it: packed, and installed into an empty folder.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const source = new URL("..", import.meta.url).pathname;

export const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
export const tsc = join(source, "node_modules/.bin/tsc");

/** Packs and installs; `folder` holds the consumer, `installed` the package, `files` what was packed. */
export function installPacked() {
  const folder = mkdtempSync(join(tmpdir(), "hublet-packed-"));
  const run = (program, ...args) => execFileSync(program, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  const said = run("npm", "pack", "--silent", "--json", "--pack-destination", folder, source);
  const answer = JSON.parse(said);
  // npm answers with a list, or with an object keyed by package name, by its version.
  const [packed] = Array.isArray(answer) ? answer : Object.values(answer);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("npm", "install", "--silent", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", join(folder, packed.filename));
  return {
    folder,
    installed: join(folder, "node_modules/hublet"),
    files: packed.files.map((file) => file.path).sort(),
    run,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
