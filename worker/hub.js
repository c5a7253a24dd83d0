// A hub on this machine: the built worker in workerd, its key, its token and its rows in one folder.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import { bury, children } from "./child.js";
import { newKey, oldKey } from "./keys.js";

const HOST = "127.0.0.1";
/** How long the hub may take for its first answer, in milliseconds. */
const FIRST_ANSWER = 60_000;

const WORKER = fileURLToPath(new URL("dist/worker.js", import.meta.url));

/** What an operator can put right. */
export class StartError extends Error {}

/**
 * Starts a hub, and makes its key and token if the folder has none. It answers when this resolves.
 *
 * At the edge an object that nothing happens to is put away, and opened again from its rows. Workerd would do that ten seconds after the last call, even
 * while the object waits for a slow server, so here objects stay, unless `forgets` is set.
 * @param {{ port: number, data: string, name?: string, forgets?: boolean, hear?: (line: string) => void, inspector?: number }} options `hear` is given each
 * line that workerd prints, `inspector` is the port for its inspector
 * @returns {Promise<{ name: string, url: URL, token: string, pids: number[], stop(): Promise<void> }>} `pids` are those of its workerd, where they can be found
 */
export async function startHub({ port, data, name = `localhost:${port}`, forgets = false, hear, inspector }) {
  if (!existsSync(WORKER)) throw new StartError(`${WORKER} is missing: \`make start\` builds it`);
  await checkPort(port);
  const { signing_key, old_keys } = openKeys(data, name);
  const token = openToken(data);
  const before = new Set(children());
  const workerd = new Miniflare({
    host: HOST,
    port,
    ...(hear && { handleRuntimeStdio: (...streams) => streams.forEach((stream) => createInterface(stream).on("line", hear)) }),
    ...(inspector !== undefined && { inspectorPort: inspector }),
    ...settings({ name, signingKey: signing_key, oldKeys: old_keys, token, data, forgets }),
  });
  try {
    const url = await workerd.ready;
    const pids = children().filter((pid) => !before.has(pid));
    const letGo = pids.map(bury);
    const stop = async () => {
      await workerd.dispose();
      letGo.forEach((go) => go());
    };
    try {
      await checkAnswer(url, name, data);
    } catch (error) {
      letGo.forEach((go) => go());
      throw error;
    }
    return { name, url, token, pids, stop };
  } catch (error) {
    await workerd.dispose();
    throw error;
  }
}

/** What `wrangler.jsonc` says of a deployed hub, for one on this machine. */
export function settings({ name, signingKey, oldKeys, token, data, forgets }) {
  return {
    cf: false,
    modules: true,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    modulesRoot: dirname(WORKER),
    scriptPath: WORKER,
    compatibilityDate: "2026-01-01",
    durableObjects: Object.fromEntries(
      ["Room", "Peer", "Account", "Metrics"].map((className) => [
        className.toUpperCase(),
        { className, useSQLite: true, unsafePreventEviction: !forgets },
      ]),
    ),
    durableObjectsPersist: join(data, "storage"),
    kvNamespaces: ["KV"],
    kvPersist: join(data, "kv"),
    bindings: {
      HUBLET_NAME: name,
      HUBLET_SIGNING_KEY: signingKey,
      HUBLET_OLD_KEYS: oldKeys.join("\n"),
      HUBLET_TOKEN: token,
      HUBLET_DEVELOPMENT: "1",
    },
  };
}

/** A hub that cannot say its keys can do nothing else. */
async function checkAnswer(url, name, data) {
  // A connection of its own: one that is kept may lead to a hub that was here before and is gone.
  const asked = fetch(new URL("/_matrix/key/v2/server", url), { headers: { connection: "close" }, signal: AbortSignal.timeout(FIRST_ANSWER) });
  const answer = await asked.catch((error) => {
    throw new StartError(`the hub does not answer on ${url.origin} (${error.cause?.message ?? error.message}): what workerd printed may say why; start it again`);
  });
  await answer.body?.cancel();
  if (answer.status !== 200) {
    throw new StartError(`the hub does not serve its keys: is \`${name}\` a server name, and ${join(data, "key.json")} whole?`);
  }
}

/** The keys of this folder. A folder belongs to one name: its rooms are made under that. */
function openKeys(data, name) {
  const path = join(data, "key.json");
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (!existsSync(path)) writeSecret(path, keyFile({ name, signing_key: newKey("ed25519:1"), old_keys: [] }));
  const keys = readKeys(path);
  if (keys.name !== name) {
    throw new StartError(`${data} belongs to ${keys.name}, not to ${name}: choose another folder or another name`);
  }
  return keys;
}

/** Reads the key file; one in the form of version 0.1 is brought to the present one. */
function readKeys(path) {
  try {
    const { name, key_id, seed, signing_key = `${key_id} ${seed}`, old_keys = [] } = JSON.parse(readFileSync(path, "utf8"));
    if (seed !== undefined) replaceSecret(path, keyFile({ name, signing_key, old_keys }));
    return { name, signing_key, old_keys };
  } catch (error) {
    throw new StartError(`${path} cannot be read (${error.message}): put the key back from a copy`);
  }
}

function keyFile(keys) {
  return `${JSON.stringify(keys, null, 2)}\n`;
}

/** Lets the folder's key end and makes another. What the old one signed holds, for the key document goes on naming it. */
export function rotateKey(data, name) {
  const { signing_key, old_keys } = openKeys(data, name);
  const next = `ed25519:${old_keys.length + 2}`;
  const keys = { name, signing_key: newKey(next), old_keys: [...old_keys, oldKey(signing_key, Date.now())] };
  replaceSecret(join(data, "key.json"), keyFile(keys));
}

function openToken(data) {
  const path = join(data, "token");
  if (!existsSync(path)) writeSecret(path, `${randomBytes(24).toString("base64url")}\n`);
  const token = readFileSync(path, "utf8").trim();
  if (token === "") throw new StartError(`${path} is empty: remove it, and a new token is made`);
  return token;
}

/** Only the owner may read it; what is there is never overwritten. */
function writeSecret(path, text) {
  writeFileSync(path, text, { mode: 0o600, flag: "wx" });
}

/** Replaces it as a whole: whatever happens, one of the two is there. */
function replaceSecret(path, text) {
  const next = `${path}.next`;
  rmSync(next, { force: true });
  writeSecret(next, text);
  renameSync(next, path);
}

/** workerd's own words for a taken port are hard to find among others. */
function checkPort(port) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => reject(new StartError(`port ${port} cannot be used: ${reason(error)}`)));
    probe.listen(port, HOST, () => probe.close(resolve));
  });
}

function reason(error) {
  return error.code === "EADDRINUSE" ? "another program has it, perhaps the workerd of a hub that was killed; stop that, or choose another with --port" : error.message;
}
