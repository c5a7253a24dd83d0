// How figures are printed, and taken from samples.
import { readFileSync } from "node:fs";

export function print(name, value, unit) {
  console.log(`bench load_${name} ${Number(value.toFixed(value < 100 ? 2 : 0))} ${unit}`);
}

/** The value below which this share of the samples lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.round((sorted.length - 1) * share)];
}

export const median = (values) => quantile(values, 0.5);

/** Milliseconds that something takes. */
export async function timed(what) {
  const start = performance.now();
  await what();
  return performance.now() - start;
}

/** Memory of a hub's workerd, in MiB. */
export function memoryOf(hub) {
  const status = readFileSync(`/proc/${hub.pids[0]}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
}

/** Memory that the module has taken in a hub, in MiB: all of its objects are in one isolate here. */
export async function moduleOf(hub) {
  return (await hub.metrics()).get("hublet_module_memory_bytes") / 1024 ** 2;
}

/** Seconds of processor time that a hub's workerd has used. */
export function processorOf(hub) {
  const stat = readFileSync(`/proc/${hub.pids[0]}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
