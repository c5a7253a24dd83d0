#!/usr/bin/env node
// Runs a participant server: `node main.js --port 8791 --data folder --user ann`. Commands come on stdin, one a line; `help` lists them. The end of stdin ends
// the server, so that none is left behind by whoever started it.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Session } from "./commands.js";
import { Participant } from "./participant.js";
import { line as format } from "./printing.js";

const USAGE = `Usage: node main.js --data FOLDER [--port 8791] [--user ann] [--json]

  --data FOLDER   where the key is kept, and the list of rooms
  --port PORT     where the server listens; its name is localhost:PORT
  --user NAME     the local user, @NAME:localhost:PORT
  --json          print each thing that happens as a line of JSON, for scripts`;

/** How long what was typed last may take to reach its hub when the server ends. */
const LAST_WORDS = 3_000;

/** @typedef {import("./participant.js").Told} Told */

/** @param {string} text */
function portOf(text) {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65535) throw new Error(`--port ${text} is no port`);
  return port;
}

function options() {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8791" },
      data: { type: "string" },
      user: { type: "string", default: "ann" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  if (values.data === undefined) throw new Error(USAGE);
  if (!/^[0-9a-z\-.=_/+]+$/.test(values.user)) throw new Error(`--user ${values.user}: lower-case letters, digits and - . = _ / + only`);
  return { data: values.data, port: portOf(values.port), user: values.user, json: values.json };
}

async function main() {
  const { json, ...place } = options();
  const tell = (/** @type {Told} */ told) => console.log(json ? JSON.stringify(told) : format(told));
  const participant = await Participant.start({ ...place, tell });
  const session = new Session(participant);
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    input.close();
    process.stdin.destroy();
    await participant.settle(LAST_WORDS);
    await participant.stop();
  };
  const input = createInterface({ input: process.stdin });
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const rejoined = participant.rejoin();
  for await (const line of input) {
    if (line.trim() === "quit") break;
    if (line.trim() === "") continue;
    await rejoined;
    await session.run(line).then(
      (lines) => (json || lines.length > 0) && tell({ type: "answer", to: line, lines }),
      (error) => tell({ type: "failed", what: line, error: error.message }),
    );
  }
  await stop();
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
