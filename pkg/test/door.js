// What a program does with the low-level door, wherever it runs: it makes a room. Answers how many events that has, the canonical form of a JSON text, and the code of an error.
export function makeRoom({ canonicalJson, HubletError, MemoryStore, roomId, Server }) {
  const name = "localhost:1";
  const server = new Server({ name, keyId: "ed25519:1", seed: new Uint8Array(32).fill(7) });
  const store = new MemoryStore();
  let events = 0;
  const inputs = [{ type: "ask", ticket: 1, to: `room:${roomId(name, new Uint8Array(16))}`, call: { type: "create", creator: `@hal:${name}`, public: true, name: "Made" } }];
  for (const input of inputs) {
    server.handle(1_700_000_000_000, new Uint8Array(16), input);
    for (let output = server.poll(); output; output = server.poll()) {
      const { type, machine, ticket } = output;
      if (type === "commit") {
        store.apply(output.batch);
        inputs.push({ type: "committed", machine, ticket });
      } else if (type === "read") {
        inputs.push({ type: "rows", machine, ticket, rows: store.read(output.queries) });
      } else if (type === "notify" && output.notification.type === "appended") {
        events += 1;
      }
    }
  }
  let code;
  try {
    canonicalJson("{");
  } catch (error) {
    code = error instanceof HubletError && error.code;
  }
  return `${events} ${canonicalJson("[ 1e2 ]")} ${code}`;
}
