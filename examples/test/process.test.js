// The participant as a process: flags, commands on stdin, one line a fact, its end, and an end that comes unasked.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Speaker } from "../chat/speaker.js";
import { free } from "../chat/ports.js";
import { folder, Listener } from "./support.js";

const MAIN = fileURLToPath(new URL("../participant/main.js", import.meta.url));

/** Runs the program with that on stdin. */
function run(flags, stdin) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...flags], { timeout: 30_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    child.once("close", (status) => resolve({ status, stdout, stderr }));
    child.stdin.end(stdin);
  });
}

test("what is piped in is carried out before the end of it ends the server", async (context) => {
  const hub = await Listener.start(context, "hal");
  const room = await hub.participant.create({ isPublic: true, name: "Lobby" });
  const data = folder(context);
  const export_ = join(data, "export");
  const { status, stdout, stderr } = await run(
    ["--port", "0", "--data", data, "--user", "ann"],
    `join ${room} ${hub.name}\nsay hello from a pipe\n\ndance\nrooms\nexport ${export_}\nquit\nsay never\n`,
  );
  assert.equal(stderr, "");
  assert.equal(status, 0, stdout);
  await hub.hears("hello from a pipe");
  assert.match(stdout, /^@ann:localhost:\d+ on http:\/\/127\.0\.0\.1:\d+, key ed25519:[0-9a-f]{6} \(new\)$/m);
  assert.match(stdout, /\(earlier\) @hal:\S+ made the room +\[✓schema ✓hash ✓sender ✓hub ✓rules ✓chain\]$/m);
  assert.match(stdout, /^dance: there is no command "dance": type help$/m);
  assert.ok(stdout.includes(`${room} join`), stdout);
  assert.ok(!stdout.includes("never"));
  const keys = JSON.parse(readFileSync(join(export_, "keys.json"), "utf8"));
  assert.ok(Object.keys(keys).includes(hub.name));
  const types = readFileSync(join(export_, "room.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line).type);
  assert.equal(types[0], "m.room.create");
});

test("a process that is ended, or killed, comes back with its key and its rooms", async (context) => {
  const hub = await Listener.start(context, "hal");
  const room = await hub.participant.create({ isPublic: true });
  const [port] = await free([0]);
  const ann = new Speaker({ name: "ann", port, data: folder(context), show: () => {} });
  context.after(() => ann.stop());
  await ann.start();
  await ann.type(`join ${room} ${hub.name}`);
  await ann.type("say one");
  await ann.hears(room, "one");
  assert.equal(await ann.stop(), "exit status 0");
  await hub.participant.say(room, "two");
  await ann.start();
  await ann.hears(room, "two");
  ann.child.process.kill("SIGKILL");
  await ann.child.ended;
  await hub.participant.say(room, "three");
  await ann.start();
  const three = await ann.hears(room, "three");
  assert.equal(three.isHistory, true);
  await ann.type(`say ${room} four`);
  await hub.hears("four");
});

test("flags that make no sense, and a port that is taken, end it at once", async (context) => {
  const data = folder(context);
  const taken = await Listener.start(context, "hal");
  const cases = [
    [[], /Usage: node main\.js/],
    [["--data", data, "--port", "x"], /--port x is no port/],
    [["--data", data, "--port", "70000"], /--port 70000 is no port/],
    [["--data", data, "--user", "Ann"], /--user Ann: lower-case/],
    [["--data", data, "--port", String(taken.port)], /port \d+ is taken/],
    [["--dance"], /--dance/],
  ];
  for (const [flags, expected] of cases) {
    const { status, stdout, stderr } = await run(flags, "");
    assert.equal(status, 1, flags.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, expected);
  }
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--help"]);
  assert.match(stdout, /^Usage: node main\.js/);
  assert.ok(existsSync(data));
});
