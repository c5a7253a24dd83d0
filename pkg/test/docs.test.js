// The documentation of every exported type: made without a warning, and with words for all that a user touches.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("..", import.meta.url);

/** Typedoc's numbers for what holds properties of its own. */
const CLASS = 128;
const INTERFACE = 256;
const PROPERTY = 1024;

/** Properties without words. Those of a variant of a union are told with it. */
function* silent(reflection, path = []) {
  for (const child of reflection.children ?? []) {
    const here = [...path, child.name];
    const isOwn = child.kind === PROPERTY && [CLASS, INTERFACE].includes(reflection.kind) && !child.inheritedFrom;
    if (isOwn && !child.comment?.summary.length) yield here.join(".");
    yield* silent(child, here);
  }
}

test("everything exported is documented", () => {
  // It fails on the first warning.
  execFileSync("npm", ["run", "--silent", "docs"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  const project = JSON.parse(readFileSync(new URL("api/api.json", folder), "utf8"));
  assert.deepEqual(project.children.map(({ name }) => name), ["hublet", "hublet/browser"]);
  assert.deepEqual([...silent(project)], []);
});
