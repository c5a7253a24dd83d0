// Where the hub's thread spends its time, by the inspector of workerd. The profiler sees the thread only while it runs JavaScript or the module: the first sample
// after a pause would get all of the pause, so what is longer than a sample should be is told apart.
import { WebSocket } from "ws";

/** Time between two samples, in microseconds; what lies further apart was time outside. */
const INTERVAL = 200;

/** Starts to take a profile of a hub that has an inspector; gives what stops it and tells each function's own time, the largest first, in microseconds. */
export async function profile(hub) {
  const targets = await (await fetch(`http://127.0.0.1:${hub.inspector}/json`)).json();
  const socket = new WebSocket(targets[0].webSocketDebuggerUrl);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const answers = new Map();
  socket.on("message", (text) => {
    const { id, result } = JSON.parse(text);
    answers.get(id)?.(result);
  });
  let sent = 0;
  const send = (method, params = {}) =>
    new Promise((resolve) => {
      answers.set((sent += 1), resolve);
      socket.send(JSON.stringify({ id: sent, method, params }));
    });
  await send("Profiler.enable");
  await send("Profiler.setSamplingInterval", { interval: INTERVAL });
  await send("Profiler.start");
  return async () => {
    const taken = await send("Profiler.stop");
    socket.close();
    return ownTimes(taken.profile);
  };
}

function ownTimes({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map();
  for (const [at, id] of samples.entries()) {
    const time = Math.min(timeDeltas[at], INTERVAL * 2);
    times.set(names.get(id), (times.get(names.get(id)) ?? 0) + time);
  }
  return [...times].sort(([, one], [, other]) => other - one);
}

/** A function of the module has no name unless the module was built with names. */
function nameOf({ functionName, url, lineNumber }) {
  const name = functionName.replace(/::h[0-9a-f]{16}$/, "") || "(no name)";
  return url.startsWith("wasm") || url === "" ? name : `${name} ${url.split("/").at(-1)}:${lineNumber + 1}`;
}
