// Which rooms the server is in, and a server to ask for each: all that a restart needs to rejoin, since the log itself is in memory.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class RoomList {
  /** @param {string} folder */
  constructor(folder) {
    this.path = join(folder, "rooms.json");
    /** @type {Map<string, string[]>} */
    this.rooms = new Map(Object.entries(read(this.path)));
  }

  /**
   * @param {string} roomId
   * @param {string[]} via
   */
  add(roomId, via) {
    this.rooms.set(roomId, via);
    this.#write();
  }

  /** @param {string} roomId */
  remove(roomId) {
    if (this.rooms.delete(roomId)) this.#write();
  }

  #write() {
    writeFileSync(`${this.path}.new`, `${JSON.stringify(Object.fromEntries(this.rooms), null, 2)}\n`);
    renameSync(`${this.path}.new`, this.path);
  }
}

/**
 * @param {string} path
 * @returns {Record<string, string[]>}
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return {};
    throw new Error(`${path} cannot be read (${/** @type {Error} */ (error).message}): restore it, or remove it and join the rooms again`);
  }
}
