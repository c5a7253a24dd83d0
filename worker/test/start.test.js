// The program that `make start` runs: from nothing to a hub, its printed advice, its end.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { children } from "../child.js";
import { eventually, freePort, temporaryFolder } from "./support/hubs.js";

const PROGRAM = fileURLToPath(new URL("../serve.js", import.meta.url));

function start(test, cwd, ...flags) {
  const program = spawn(process.execPath, [PROGRAM, ...flags], { cwd });
  test.after(() => program.kill("SIGKILL"));
  const said = { out: "", err: "" };
  program.stdout.on("data", (data) => (said.out += data));
  program.stderr.on("data", (data) => (said.err += data));
  const ended = once(program, "exit").then(([status]) => status);
  return { program, said, ended, ready: () => eventually(() => /serves on/.test(said.out), "the hub") };
}

test("it starts from nothing, its advice works, and it stops and starts again", async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const flags = ["--port", `${port}`, "--data", join(folder, "data")];
  const first = start(t, folder, ...flags);
  await first.ready();
  assert.match(first.said.out, new RegExp(`^hublet: localhost:${port} serves on http://127.0.0.1:${port}\n`));
  await eventually(() => first.said.out.includes("/_matrix/key/v2/server"), "the advice");
  const commands = first.said.out.split("\n").filter((line) => /^(ROOM=|curl)/.test(line));
  assert.equal(commands.length, 4);
  const printed = execFileSync("sh", ["-ec", commands.join("\necho\n")], { cwd: folder, encoding: "utf8", timeout: 30_000 });
  assert.match(printed, new RegExp(`^!\\S+:localhost:${port}\n`));
  assert.match(printed, /"event_id":"\$/);
  assert.match(printed, /"body":"Hello"/);
  assert.match(printed, /"verify_keys"/);

  const files = ["key.json", "token"].map((name) => join(folder, "data", name));
  for (const file of files) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  const secrets = files.map((file) => readFileSync(file, "utf8"));
  first.program.kill("SIGINT");
  assert.equal(await first.ended, 0, first.said.err);

  const second = start(t, folder, ...flags, "--quiet");
  await second.ready();
  assert.equal(second.said.out.trim().split("\n").length, 1);
  assert.deepEqual(files.map((file) => readFileSync(file, "utf8")), secrets);
  const [room] = printed.split("\n");
  const token = secrets[1].trim();
  const url = `http://127.0.0.1:${port}/_hublet/rooms/${encodeURIComponent(room)}/timeline`;
  const log = await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).json();
  assert.equal(log.events.at(-1).event.content.body, "Hello");
  second.program.kill("SIGTERM");
  assert.equal(await second.ended, 0, second.said.err);
});

test("where it is told to, it ends with its input", async (t) => {
  const folder = temporaryFolder(t);
  const hub = start(t, folder, "--port", `${await freePort()}`, "--data", folder, "--quiet", "--until-eof");
  await hub.ready();
  hub.program.stdin.end();
  assert.equal(await hub.ended, 0, hub.said.err);
});

test("killed, it leaves no workerd behind", async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const hub = start(t, folder, "--port", `${port}`, "--data", folder, "--quiet");
  await hub.ready();
  const workerd = children(hub.program.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("workerd"));
  assert.equal(workerd.length, 1);
  hub.program.kill("SIGKILL");
  await hub.ended;
  await eventually(() => !existsSync(`/proc/${workerd[0]}`), "its end");
  const next = start(t, folder, "--port", `${port}`, "--data", folder, "--quiet");
  await next.ready();
  next.program.kill("SIGINT");
  assert.equal(await next.ended, 0, next.said.err);
});

test("what it cannot do it says in one line", async (t) => {
  const folder = temporaryFolder(t);
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const port = `${taken.address().port}`;
  const cases = [
    [["--port", port], /^hublet: port \d+ cannot be used: another program has it/],
    [["--port", "many"], /^hublet: --port takes a number/],
    [["--prot", "1"], /^hublet: Unknown option '--prot'/],
  ];
  for (const [flags, expected] of cases) {
    const program = start(t, folder, "--data", folder, ...flags);
    assert.equal(await program.ended, 1);
    assert.match(program.said.err, expected);
  }
});

test("a folder belongs to one name", async (t) => {
  const folder = temporaryFolder(t);
  const flags = ["--port", `${await freePort()}`, "--data", folder, "--quiet"];
  const first = start(t, folder, ...flags);
  await first.ready();
  first.program.kill("SIGINT");
  await first.ended;
  const other = start(t, folder, ...flags, "--name", "other.example");
  assert.equal(await other.ended, 1);
  assert.match(other.said.err, /belongs to localhost:\d+, not to other\.example/);
});
