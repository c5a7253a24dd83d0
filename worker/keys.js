// The server's key as text: `ed25519:ID SEED`, the seed being 32 bytes in base64, as the secret HUBLET_SIGNING_KEY holds it.
// `node keys.js` prints a new one. `node keys.js old < KEY` prints the line for HUBLET_OLD_KEYS that lets a key end now.
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** What stands before the seed in an Ed25519 key's PKCS #8 form. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** A new key. An ID is never used for two keys, so it is by chance where none is given. */
export function newKey(keyId = `ed25519:${randomBytes(4).toString("hex")}`) {
  return `${keyId} ${randomBytes(32).toString("base64")}`;
}

/** The line that publishes a key as one that no longer signs since that time, in milliseconds. */
export function oldKey(key, expired) {
  const [keyId, seed] = key.trim().split(/\s+/);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, Buffer.from(seed, "base64")]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return `${keyId} ${Buffer.from(x, "base64url").toString("base64").replace(/=+$/, "")} ${expired}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(process.argv[2] === "old" ? oldKey(await text(process.stdin), Date.now()) : newKey());
}
