// Whether this server can do its work: its key is one, and rows can be written. Anybody may ask, so nothing more is told.
import { type HttpResponse, Machine } from "hublet";
import { type Env, identity } from "./env.js";
import { log, reason } from "./log.js";
import { METRICS } from "./metrics.js";

/** How long storage may take, in milliseconds. */
const PATIENCE = 5_000;

export async function health(env: Env): Promise<HttpResponse> {
  const checks = { key: keyWorks(env), storage: await storageWorks(env) };
  const isWell = checks.key && checks.storage;
  const body = {
    status: isWell ? "ok" : "failing",
    checks: Object.fromEntries(Object.entries(checks).map(([name, works]) => [name, works ? "ok" : "failing"])),
  };
  return { status: isWell ? 200 : 503, body: new TextEncoder().encode(JSON.stringify(body)) };
}

function keyWorks(env: Env): boolean {
  try {
    new Machine(identity(env), "front", 0).free();
    return true;
  } catch (error) {
    log("error", "key unusable", { why: reason(error) });
    return false;
  }
}

async function storageWorks(env: Env): Promise<boolean> {
  const late = scheduler.wait(PATIENCE).then((): never => {
    throw new Error(`no answer within ${PATIENCE} ms`);
  });
  try {
    return await Promise.race([env.METRICS.getByName(METRICS).probe(), late]);
  } catch (error) {
    log("error", "storage unusable", { why: reason(error) });
    return false;
  }
}
