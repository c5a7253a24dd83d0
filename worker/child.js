// The workerd of a hub as a process: which it is, and how it ends when we are killed and cannot end it ourselves.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

/** The children of a process, by their IDs. Only Linux says which; elsewhere nobody is found, and a hub that is killed leaves its workerd behind. */
export function children(of = process.pid) {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && parentOf(name) === of).map(Number);
  } catch {
    return [];
  }
}

/** The second field behind the program's name, which stands in brackets and may hold anything. A process may have ended by now. */
function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/**
 * Has a process killed when this one is gone, however it went: a shell waits for a line, and the end of its input comes first if nobody is left to write one.
 * @param {number} pid
 * @returns {() => void} lets the process go
 */
export function bury(pid) {
  const watcher = spawn("sh", ["-c", 'read -r _ || kill -9 "$0"', `${pid}`], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  watcher.unref();
  watcher.on("error", () => {});
  watcher.stdin.on("error", () => {});
  watcher.stdin.unref?.();
  return () => watcher.stdin.end("\n");
}
