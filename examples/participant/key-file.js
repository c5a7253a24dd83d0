// The server's private key, in a file that only its owner may read. It is made at the first start and stays: peers know the server by it.
import { createPrivateKey, randomBytes, sign as signNode } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What a seed needs in front to be a private key in PKCS #8. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * @typedef {object} Key
 * @property {string} keyId of a new key it is new too, so that no peer takes one key for another of the same name
 * @property {Uint8Array} seed
 * @property {boolean} isNew
 */

/**
 * Reads the key of a data folder, or makes folder and key.
 * @param {string} folder
 * @returns {Key}
 */
export function openKey(folder) {
  const path = join(folder, "signing.key");
  try {
    return { ...read(path), isNew: false };
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const key = { keyId: `ed25519:${randomBytes(3).toString("hex")}`, seed: new Uint8Array(randomBytes(32)) };
  write(path, `${key.keyId} ${Buffer.from(key.seed).toString("base64")}\n`);
  return { ...key, isNew: true };
}

/**
 * An Ed25519 signature.
 * @param {Uint8Array} seed
 * @param {Uint8Array} message
 */
export function sign(seed, message) {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  return new Uint8Array(signNode(null, message, key));
}

/** @param {string} path */
function read(path) {
  const text = readFileSync(path, "utf8");
  if ((statSync(path).mode & 0o077) !== 0) throw new Error(`${path} may be read by others: chmod 600 it`);
  const found = /^(ed25519:[A-Za-z0-9_]+) ([A-Za-z0-9+/]{43}=)\n$/.exec(text);
  if (!found) throw new Error(`${path} holds no key: restore it, or remove it to start as a new server`);
  return { keyId: found[1], seed: new Uint8Array(Buffer.from(found[2], "base64")) };
}

/**
 * Writes the file whole or not at all: half a key would lock the server out of its own name.
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  const half = `${path}.new`;
  const file = openSync(half, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(half, path);
}
