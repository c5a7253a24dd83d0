// Runs a hub until it is interrupted: `node serve.js [--port N] [--name NAME] [--data FOLDER] [--quiet] [--until-eof] [--rotate-key]`. With `--until-eof` the
// end of its standard input ends it too, so that a program that starts it leaves no hub behind, however that program ends. With `--rotate-key` it starts with a
// new key; what the one before signed still holds. Flags go before the environment: HUBLET_PORT, HUBLET_NAME, HUBLET_DATA.
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { rotateKey, StartError, startHub } from "./hub.js";

export { StartError, startHub };

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

async function main() {
  const { port, name, data, quiet, untilEof, isRotating } = settings(process.argv.slice(2), process.env);
  if (isRotating) rotateKey(data, name || `localhost:${port}`);
  const hub = await startHub({ port, data, ...(name && { name }) });
  console.log(`hublet: ${hub.name} serves on ${hub.url.origin}`);
  if (!quiet) console.log(guide(hub, data));
  await interruption(untilEof);
  await hub.stop();
  process.stdin.destroy();
}

/** Miniflare's own way is to end the process at once, with a status that says it failed. */
function interruption(untilEof) {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.removeAllListeners(signal).once(signal, resolve);
    if (untilEof) process.stdin.once("close", resolve).once("error", resolve).resume();
  });
}

function settings(argv, env) {
  const { values } = parseArgs({
    args: argv,
    options: {
      port: { type: "string", default: env.HUBLET_PORT || "8787" },
      name: { type: "string", default: env.HUBLET_NAME || "" },
      data: { type: "string", default: env.HUBLET_DATA || join(REPOSITORY, ".hublet") },
      quiet: { type: "boolean", default: false },
      "until-eof": { type: "boolean", default: false },
      "rotate-key": { type: "boolean", default: false },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError(`--port takes a number from 1 to 65535, not \`${values.port}\``);
  }
  return { ...values, port, data: resolve(values.data), untilEof: values["until-eof"], isRotating: values["rotate-key"] };
}

/** What to do next, as lines to paste into another terminal in the same folder. */
function guide({ name, url }, data) {
  const token = relative(process.cwd(), join(data, "token"));
  const curl = `curl -s -H "Authorization: Bearer $(cat '${token}')"`;
  const rooms = `${url.origin}/_hublet/rooms`;
  const room = JSON.stringify({ creator: `@ann:${name}`, public: true, name: "A room" });
  const message = JSON.stringify({
    sender: `@ann:${name}`,
    type: "m.room.message",
    content: { msgtype: "m.text", body: "Hello" },
  });
  return `
Its key, the operator's token and its rooms lie in ${data}
Stop it with Ctrl-C. In another terminal, in this folder:

# make a public room
ROOM=$(${curl} -d '${room}' ${rooms} | sed 's/.*"room_id":"\\([^"]*\\)".*/\\1/'); echo "$ROOM"

# say something in it
${curl} -d '${message}' "${rooms}/$ROOM/events"

# read what was said
${curl} "${rooms}/$ROOM/timeline?from=0&limit=20"

# the keys that other servers verify with
curl -s ${url.origin}/_matrix/key/v2/server
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    const isTheirs = error instanceof StartError || error.code?.startsWith("ERR_PARSE_ARGS");
    console.error(isTheirs ? `hublet: ${error.message}` : error);
    process.exit(1);
  });
}
