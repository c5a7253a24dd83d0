// `make chat` as it is run, but on free ports and in a folder of its own: the real worker in workerd, two processes, and the audit.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { audit } from "../chat/audit.js";
import { free } from "../chat/ports.js";
import { fault } from "../chat/speaker.js";
import { folder } from "./support.js";

const MAIN = fileURLToPath(new URL("../chat/main.js", import.meta.url));

/** Starts the program; `said()` is what it has printed, and `until` waits for more. */
function start(flags) {
  const child = spawn(process.execPath, [MAIN, ...flags], { timeout: 240_000 });
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (data) => (out += data));
  const said = () => out;
  const until = async (text) => {
    while (!out.includes(text)) {
      assert.equal(child.exitCode, null, out);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { child, said, until, ended: once(child, "close").then(([status]) => status) };
}

test("a conversation is shown, verified, healed and audited", async (context) => {
  const data = folder(context);
  const ports = await free([0, 0, 0]);
  const { child, said, until, ended } = start(["--ports", ports.join(), "--data", data, "--keep"]);
  await until("Type for them");
  const shown = said().split("\n");
  const checked = (who, text) => shown.filter((line) => line.startsWith(who) && line.includes(text) && line.includes("✓schema"));
  const bob = checked("bob ", "Hello Ann, hello Hal!");
  assert.match(bob[0], /\[✓schema ✓hash ✓sender ✓hub ✓rules ✓chain\]$/);
  assert.match(bob[1], /\(earlier\).*\[✓schema ✓hash ✓sender ✓hub ✓rules ✓chain\]$/, "after the restart it is history");
  for (const missed of ["Are you there?", "So he will."]) {
    assert.equal(checked("bob ", missed).length, 1);
    assert.match(checked("bob ", missed)[0], /\(earlier\)/);
  }
  assert.deepEqual(shown.filter((line) => /\[.*✗/.test(line)), []);
  assert.equal(shown.filter((line) => /all intact, and the same as the hub's: \d+ events, 0 failed, the last is \$/.test(line)).length, 3);
  const count = shown.filter((line) => line.includes("✓schema")).length;
  assert.ok(said().includes(`${count} lines shown, every one verified.`));

  // People may go on typing.
  child.stdin.write("ann say typed by hand\n");
  await until("typed by hand");
  child.stdin.write("carl say hello\n");
  await until("begin with ann or bob");
  child.stdin.write("quit\n");
  assert.equal(await ended, 0, said());
  await free(ports);

  // The audit is no formality: one letter of one message changed, and it fails.
  const exported = readdirSync(join(data, "exports")).find((name) => name.startsWith("bob-"));
  const log = join(data, "exports", exported, "room.jsonl");
  writeFileSync(log, readFileSync(log, "utf8").replace("So he will.", "So he shall"));
  await assert.rejects(audit(join(data, "exports", exported)), /finds fault[^]*failed: hash/);
});

test("a port that is taken is named, and nothing is started", async (context) => {
  const taken = createServer().listen(0, "127.0.0.1");
  context.after(() => taken.close());
  await once(taken, "listening");
  const { port } = taken.address();
  for (const ports of [[port, 0, 0], [0, port, 0], [0, 0, port]]) {
    const { said, ended } = start(["--ports", ports.join()]);
    assert.equal(await ended, 1);
    assert.match(said(), new RegExp(`^\\nerror: port ${port} is taken: `));
  }
});

test("when it is ended half-way no process stays behind", async () => {
  const ports = await free([0, 0, 0]);
  const { child, until, ended } = start(["--ports", ports.join()]);
  await until("✓schema");
  child.kill("SIGTERM");
  assert.equal(await ended, 1);
  await free(ports);
});

test("when it is killed outright no process stays behind either", async () => {
  const ports = await free([0, 0, 0]);
  const { child, until, ended } = start(["--ports", ports.join()]);
  await until("✓schema");
  child.kill("SIGKILL");
  await ended;
  for (const end = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
    try {
      return await free(ports);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
});

test("what did not pass every check is a fault", () => {
  const checks = { schema: "passed", hash: "passed", sender: "passed", hub: "passed", rules: "passed", chain: "passed" };
  const fact = { type: "event", roomId: "!r:s", position: 3, eventId: "$e", isHistory: false, event: {}, checks };
  assert.equal(fault(fact), undefined);
  for (const check of Object.keys(checks)) {
    for (const verdict of ["failed", "not run"]) {
      assert.equal(fault({ ...fact, checks: { ...checks, [check]: verdict } }), `$e did not pass: ${check}`);
    }
  }
  assert.equal(fault({ ...fact, position: 0, checks: { ...checks, chain: "not run" } }), undefined);
  assert.ok(fault({ ...fact, position: 0, checks: { ...checks, chain: "failed" } }));
  assert.ok(fault({ type: "warning", roomId: "!r:s", text: "fork" }));
});
