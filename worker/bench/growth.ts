// A worker for measurements only: one room in the SQLite of a Durable Object, with as long a history as is asked for.
import { DurableObject } from "cloudflare:workers";
import { decodeAnswer, encodeCall, encodeUnavailable, tables } from "hublet";
import type { Answer, Call, Identity } from "hublet";
import { MachineHost } from "../src/host.js";
import { Store } from "../src/store.js";
import { Reader } from "../src/wire.js";

const NAME = "hub.example";
const ROOM = "!dGhlIGJlbmNo:hub.example";
const IDENTITY: Identity = { name: NAME, keyId: "ed25519:1", seed: new Uint8Array(32).fill(7) };
const MEMBERS = 20;

/** Positions are written so that they sort as numbers do. */
const FIRST = 1n << 63n;

/** A message whose event has more than 1,000 bytes. */
const CONTENT = JSON.stringify({ body: `Bring the plans, ${"please ".repeat(90)}`, msgtype: "m.text" });

export class Growth extends DurableObject {
  readonly #store = new Store(this.ctx.storage);
  #host: MachineHost | undefined;

  /** Makes the room by its machine, with its members and one message. The position of the next event. */
  async make(): Promise<number> {
    await this.#ask({ type: "create", creator: user(0), public: true });
    for (let number = 1; number < MEMBERS; number++) await this.#ask({ type: "member", user: user(number), membership: "join" });
    await this.append(1);
    return this.end();
  }

  /** Writes entries from a position up to another behind the last, each with its place and LPDU ID, and then the head. */
  fill(from: number, to: number): void {
    const last = this.#row("log", true)?.value ?? fail("the log is empty");
    const batch = new BatchWriter();
    for (let position = from; position < to; position++) {
      const id = rising(position);
      const entry = last.slice();
      entry.set(id, 3);
      batch.put("log", positionKey(position), entry);
      batch.put("ids", id, positionKey(position));
      batch.put("lpdus", rising(position), id);
      if (position === to - 1) {
        const head = (this.#row("meta", false) ?? fail("there is no head")).value.slice();
        head.set(positionKey(position), head.length - 40);
        head.set(id, head.length - 32);
        batch.put("meta", new TextEncoder().encode("head"), head);
      }
    }
    this.#store.apply(batch.finish());
    this.#host = undefined;
  }

  /** Sends so many messages, each an event and a commit of its own. */
  async append(count: number): Promise<void> {
    for (let number = 0; number < count; number++) {
      const sent = await this.#ask({ type: "send", sender: user(number % MEMBERS), kind: "m.room.message", content: CONTENT });
      if (sent.type !== "accepted") fail(JSON.stringify(sent));
    }
  }

  /** Opens the machine from its rows so many times; each time it has to give the log's last entry. */
  async open(count: number): Promise<void> {
    const end = this.end();
    for (let number = 0; number < count; number++) {
      this.#host?.free();
      this.#host = undefined;
      const answer = await this.#ask({ type: "timeline", from: end - 1, limit: 2 });
      if (answer.type !== "entries" || answer.entries.length !== 1) fail(JSON.stringify(answer));
    }
  }

  /** The position behind the log's last. */
  end(): number {
    const key = this.#row("log", true)?.key ?? fail("the log is empty");
    return Number(new DataView(key.buffer, key.byteOffset, 8).getBigUint64(0) - FIRST) + 1;
  }

  async #ask(call: Call): Promise<Answer> {
    this.#host ??= new MachineHost(IDENTITY, `room:${ROOM}`, this.#store, {
      // The accounts of its users, who need not know here.
      ask: async () => encodeUnavailable(),
      send: async () => "unreachable",
      wake: () => {},
      watch: () => {},
      notify: () => {},
      stepped: () => {},
      dropped: () => {},
    });
    return decodeAnswer(await this.#host.ask(encodeCall(call)));
  }

  /** The first or the last row of a table, or of `meta` the head. */
  #row(table: string, isLast: boolean): { key: Uint8Array; value: Uint8Array } | undefined {
    const query = new BatchWriter();
    query.u8(tables().indexOf(table));
    query.u8(isLast ? 1 : 0);
    query.u8(0);
    query.u32(1);
    query.bytes(new TextEncoder().encode(table === "meta" ? "head" : ""));
    query.bytes(new Uint8Array(0));
    const rows = new Reader(this.#store.read(query.finish()));
    return rows.u32() === 0 ? undefined : { key: rows.bytes(), value: rows.bytes() };
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const { name, method, parameters } = await request.json<{ name: string; method: "end"; parameters: never }>();
    const growth = env.GROWTH.getByName(name);
    const answer = await (growth[method] as (...given: unknown[]) => unknown)(...(parameters as unknown[]));
    return Response.json(answer ?? null);
  },
} satisfies ExportedHandler<{ GROWTH: DurableObjectNamespace<Growth> }>;

/** Writes batches and queries as the store reads them. */
class BatchWriter {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  put(table: string, key: Uint8Array, value: Uint8Array): void {
    this.u8(1);
    this.u8(tables().indexOf(table));
    this.bytes(key);
    this.bytes(value);
  }

  u8(value: number): void {
    this.#make(1)[0] = value;
  }

  u32(value: number): void {
    const place = this.#make(4);
    new DataView(place.buffer, place.byteOffset, 4).setUint32(0, value);
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#make(value.length).set(value);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #make(length: number): Uint8Array {
    if (this.#length + length > this.#bytes.length) {
      const larger = new Uint8Array((this.#length + length) * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#length += length;
    return this.#bytes.subarray(this.#length - length, this.#length);
  }
}

function positionKey(position: number): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, FIRST + BigInt(position));
  return key;
}

/**
 * An ID for that position: spread over all IDs, and above those before it. In any other order a million of them would be written to pages all over the
 * file, which takes far longer; what is appended afterwards has IDs as they come.
 */
function rising(position: number): Uint8Array {
  const id = crypto.getRandomValues(new Uint8Array(32));
  new DataView(id.buffer).setBigUint64(0, BigInt(position) << 43n);
  return id;
}

function user(number: number): string {
  return `@user${number}:${NAME}`;
}

function fail(message: string): never {
  throw new Error(message);
}
