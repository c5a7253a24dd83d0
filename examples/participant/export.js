// A room's log and the keys of its servers as files that `verify_log` audits, on any machine and without trust in this one.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Writes `room.jsonl`, one event a line and oldest first, and `keys.json`: server to key ID to public key.
 * @param {import("./participant.js").Participant} participant
 * @param {string} roomId
 * @param {string} folder
 */
export async function exportRoom(participant, roomId, folder) {
  const lines = [];
  const servers = new Set();
  for (const { event: bytes } of await participant.timeline(roomId)) {
    if (!bytes) continue;
    const text = new TextDecoder().decode(bytes);
    for (const server of Object.keys(JSON.parse(text).signatures)) servers.add(server);
    lines.push(text);
  }
  /** @type {Record<string, Record<string, string>>} */
  const keys = {};
  for (const server of [...servers].sort()) keys[server] = keysOf(await participant.keyDocument(server));
  await mkdir(folder, { recursive: true });
  const files = { log: join(folder, "room.jsonl"), keys: join(folder, "keys.json") };
  await writeFile(files.log, lines.map((line) => `${line}\n`).join(""));
  await writeFile(files.keys, `${JSON.stringify(keys, null, 2)}\n`);
  return { events: lines.length, ...files };
}

/**
 * Every key of a document, current and old. A server without a document has none, and `verify_log` says so of its events.
 * @param {any} document
 */
function keysOf(document) {
  /** @type {[string, { key: string }][]} */
  const listed = [...Object.entries(document?.verify_keys ?? {}), ...Object.entries(document?.old_verify_keys ?? {})];
  return Object.fromEntries(listed.map(([id, { key }]) => [id, key]));
}
