// The other angle: a log that a participant exported is audited by `verify_log`, another program, with nothing but that log and the servers' keys.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How long an audit may take, in milliseconds, and how much it may say, in bytes: a line an event. */
const LIMITS = { timeout: 60_000, maxBuffer: 64 << 20 };

/**
 * @typedef {object} Audit
 * @property {string} summary
 * @property {string[]} ids the IDs of the log, oldest first
 */

/**
 * Audits an export.
 * @param {string} folder
 * @returns {Promise<Audit>}
 */
export async function audit(folder) {
  const program = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/examples/verify_log");
  if (!existsSync(program)) throw new Error("verify_log is not built: cargo build --example verify_log");
  const files = [join(folder, "keys.json"), join(folder, "room.jsonl")];
  let said;
  try {
    said = (await promisify(execFile)(program, files, LIMITS)).stdout;
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    throw new Error(`verify_log finds fault with ${folder}:\n${stdout ?? ""}${stderr ?? error}`);
  }
  const lines = said.trim().split("\n");
  const summary = lines.pop() ?? "";
  const wrong = lines.filter((line) => !line.endsWith(" intact"));
  if (wrong.length > 0) throw new Error(`not all of ${folder} is intact:\n${wrong.join("\n")}`);
  const events = readFileSync(files[1], "utf8").trim().split("\n").length;
  if (events !== lines.length) throw new Error(`verify_log says ${lines.length} lines, ${folder} has ${events}`);
  return { summary, ids: lines.map((line) => line.split(" ")[1]) };
}
