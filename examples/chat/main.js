#!/usr/bin/env node
// `make chat`: a hub in workerd and two participants, each a process of its own, hold a conversation. Every line is marked with the checks that it passed; at
// the end the logs are audited by another program. The exit status is 0 only if all that was shown was verified.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { line as format } from "../participant/printing.js";
import { audit } from "./audit.js";
import { converse } from "./conversation.js";
import { Hub } from "./hub.js";
import { free } from "./ports.js";
import { fault, Speaker } from "./speaker.js";

const USAGE = `Usage: node main.js [--ports 8790,8791,8792] [--data FOLDER] [--keep]

  --ports HUB,ANN,BOB  where the three listen; 0 for any free port
  --data FOLDER        keep keys, the hub's storage and the exported logs there
  --keep               go on afterwards: type "ann say hello" or "bob rooms", and quit`;

const LEGEND = "✓ passed, ✗ failed, · not run: the join that begins a log has nothing before it until the (earlier) events are fetched";

/**
 * @typedef {import("../participant/participant.js").Told} Told
 */

function options() {
  const { values } = parseArgs({
    options: {
      ports: { type: "string", default: "8790,8791,8792" },
      data: { type: "string" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const ports = values.ports.split(",").map(Number);
  if (values.help || ports.length !== 3 || !ports.every((port) => Number.isInteger(port) && port >= 0 && port < 65536)) throw new Error(USAGE);
  return { ...values, ports };
}

/** What was shown, and what was wrong with it. */
class Screen {
  events = 0;
  /** @type {string[]} */
  faults = [];

  /**
   * @param {string} name
   * @param {Told} told
   */
  show(name, told) {
    if (told.type === "answer" && told.lines.length === 0) return;
    for (const words of format(told).split("\n")) console.log(`${name.padEnd(4)}| ${words}`);
    if (told.type === "event") this.events += 1;
    const wrong = fault(told);
    if (wrong !== undefined) this.faults.push(`${name}: ${wrong}`);
  }

  /** @param {string} text */
  title(text) {
    console.log(`\n── ${text}`);
  }
}

/**
 * Audits what the participants export of a room, and compares it with the hub's log.
 * @param {Hub} hub
 * @param {string} data
 * @param {string} roomId
 * @param {Speaker[]} speakers
 */
async function auditRoom(hub, data, roomId, speakers) {
  const log = await hub.log(roomId);
  for (const speaker of speakers) {
    const folder = join(data, "exports", `${speaker.name}-${roomId.slice(1).split(":")[0]}`);
    await speaker.type(`export ${roomId} ${folder}`);
    const { summary, ids } = await audit(folder);
    if (ids.join() !== log.join()) throw new Error(`${speaker.name}'s log of ${roomId} is not the hub's:\n${ids.join("\n")}\nand the hub's:\n${log.join("\n")}`);
    console.log(`${speaker.name.padEnd(4)}| ${roomId}: all intact, and the same as the hub's: ${summary}`);
  }
}

/**
 * Lets people type for the participants, until they quit.
 * @param {Record<string, Speaker>} speakers
 */
async function letPeopleType(speakers) {
  console.log(`\nType for them: ${Object.keys(speakers).map((name) => `"${name} help"`).join(", ")}; "quit" ends it.`);
  const input = createInterface({ input: process.stdin });
  for await (const line of input) {
    const [name, ...command] = line.trim().split(" ");
    if (name === "quit") break;
    const speaker = Object.hasOwn(speakers, name) ? speakers[name] : undefined;
    if (speaker) speaker.child.say(command.join(" "));
    else if (name !== "") console.log(`begin with ${Object.keys(speakers).join(" or ")}`);
  }
  input.close();
}

async function main() {
  const { ports: wanted, keep, data: folder } = options();
  const ports = await free(wanted);
  const data = folder ?? (await mkdtemp(join(tmpdir(), "hublet-chat-")));
  const screen = new Screen();
  const show = (/** @type {string} */ name, /** @type {Told} */ told) => screen.show(name, told);
  const ann = new Speaker({ name: "ann", port: ports[1], data: join(data, "ann"), show });
  const bob = new Speaker({ name: "bob", port: ports[2], data: join(data, "bob"), show });
  /** @type {Hub | undefined} */
  let hub;
  const cleanUp = async () => {
    await Promise.all([ann.stop(), bob.stop(), hub?.stop()]);
    if (folder === undefined) await rm(data, { recursive: true, force: true });
  };
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => cleanUp().finally(() => process.exit(1)));
  try {
    hub = await Hub.start(ports[0], join(data, "hub"));
    console.log(`hub ${hub.name} in workerd, process ${hub.child.process.pid}; data in ${data}\n${LEGEND}`);
    const { lobby, den } = await converse({ hub, ann, bob, title: screen.title });
    screen.title("Audit: each participant exports its log and the servers' keys, and verify_log reads nothing else.");
    await auditRoom(hub, data, lobby, [ann]);
    await auditRoom(hub, data, den, [ann, bob]);
    if (screen.faults.length > 0) throw new Error(`not all that was shown was verified:\n${screen.faults.join("\n")}`);
    console.log(`\n${screen.events} lines shown, every one verified.`);
    if (keep) await letPeopleType({ ann, bob });
  } catch (error) {
    // What was told along the way says more than that something did not come.
    const causes = screen.faults.filter((fault) => !/** @type {Error} */ (error).message.includes(fault));
    throw new Error([/** @type {Error} */ (error).message, ...causes].join("\n"));
  } finally {
    await cleanUp();
  }
}

main().catch((error) => {
  console.error(`\nerror: ${error.message}`);
  process.exitCode = 1;
});
