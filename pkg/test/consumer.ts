// What a user of the packed package writes; checked by the TypeScript compiler and then run.
import {
  type Answer,
  canonicalJson,
  type ErrorCode,
  HubletError,
  type Identity,
  MemoryStore,
  type Notification,
  publicKey,
  roomId,
  Router,
  Server,
  type ServerInput,
  type ServerOutput,
  tables,
  version,
} from "hublet";

function refusal(text: string): ErrorCode {
  try {
    canonicalJson(text);
  } catch (error) {
    if (error instanceof HubletError) return error.code;
  }
  throw new Error(`not refused: ${text}`);
}

const current: string = version();
const canonical: string = canonicalJson('{ "b": 1e2, "a": "\\u0041" }');
const refused: ErrorCode[] = [refusal('{"a":1,"a":2}'), refusal("[".repeat(600))];

// The low-level door: every output is known by its type, and the compiler holds this to the whole list.
const identity: Identity = { name: "localhost:1", keyId: "ed25519:1", seed: new Uint8Array(32).fill(7) };
const server = new Server(identity);
const store = new MemoryStore();
const told: Notification["type"][] = [];
const answers: Answer[] = [];

function carryOut(output: ServerOutput): ServerInput | undefined {
  switch (output.type) {
    case "commit":
      store.apply(output.batch);
      return { type: "committed", machine: output.machine, ticket: output.ticket };
    case "read":
      return { type: "rows", machine: output.machine, ticket: output.ticket, rows: store.read(output.queries) };
    case "send":
      return { type: "notSent", machine: output.machine, ticket: output.ticket, error: "unreachable" };
    case "sign":
      return { type: "signed", machine: output.machine, ticket: output.ticket, signatures: [] };
    case "notify":
      told.push(output.notification.type);
      return undefined;
    case "respond":
      answers.push(output.answer);
      return undefined;
    case "wake":
      return undefined;
    default:
      return output satisfies never;
  }
}

function take(input: ServerInput): void {
  const inputs = [input];
  for (const next of inputs) {
    server.handle(1_700_000_000_000, new Uint8Array(16), next);
    for (let output = server.poll(); output; output = server.poll()) {
      const came = carryOut(output);
      if (came) inputs.push(came);
    }
  }
}

const room = roomId(identity.name, new Uint8Array(16));
take({ type: "ask", ticket: 1, to: `room:${room}`, call: { type: "create", creator: "@a:localhost:1", public: false } });
take({ type: "request", ticket: 2, request: { method: "GET", target: "/nothing", headers: [], body: new Uint8Array() } });
let argument: ErrorCode | undefined;
try {
  // @ts-expect-error: no call is named so.
  take({ type: "ask", ticket: 3, to: `room:${room}`, call: { type: "dance" } });
} catch (error) {
  if (error instanceof HubletError) argument = error.code;
}
const direction = new Router(identity.name).direct("GET", "/_matrix/key/v2/server", []);
const door = {
  room,
  told,
  answers: answers.map((answer) => (answer.type === "response" ? answer.response.status : answer.type)),
  argument,
  direction: direction.type,
  key: publicKey(identity.seed).length,
  tables: tables().slice(0, 2),
};
server.free();
store.free();
console.log(JSON.stringify({ version: current, canonical, refused, door }));
