// A worker for tests only: it runs the cases that every store must pass on the store of a Durable Object.
import { DurableObject } from "cloudflare:workers";
import { Store } from "../src/store.js";

type Step = { apply: string } | { read: string; rows: string };

export class Cases extends DurableObject {
  /** Runs steps from an empty store on; what differs, by step. Every read is made again on a store opened anew. */
  run(steps: Step[]): string[] {
    const store = new Store(this.ctx.storage);
    return steps.flatMap((step, index) => {
      if ("apply" in step) {
        store.apply(fromHex(step.apply));
        return [];
      }
      const answers = [store, new Store(this.ctx.storage)].map((one) => toHex(one.read(fromHex(step.read))));
      return answers.filter((rows) => rows !== step.rows).map((rows) => `step ${index}: ${rows.slice(0, 200)}`);
    });
  }

  /** The bytes that a batch adds to what the object holds. */
  grow(batch: string): number {
    const store = new Store(this.ctx.storage);
    store.apply(Uint8Array.of());
    const before = this.ctx.storage.sql.databaseSize;
    store.apply(fromHex(batch));
    return this.ctx.storage.sql.databaseSize - before;
  }

  /** Applies a batch that cannot be applied as a whole, then reads. */
  fail(batch: string, tooLarge: number, query: string): { error: string; rows: string } {
    const store = new Store(this.ctx.storage);
    const [put, key] = [fromHex(batch), 7];
    const large = new Uint8Array(put.length + 11 + tooLarge);
    large.set(put);
    large.set([1, 1, 0, 0, 0, 1, key], put.length);
    new DataView(large.buffer).setUint32(put.length + 7, tooLarge);
    let error = "none";
    try {
      store.apply(large);
    } catch (thrown) {
      error = String(thrown);
    }
    return { error, rows: toHex(store.read(fromHex(query))) };
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const { name, method, parameters } = await request.json<{ name: string; method: "run" | "fail" | "grow"; parameters: never }>();
    const cases = env.CASES.getByName(name);
    return Response.json(await (cases[method] as (...given: unknown[]) => unknown)(...(parameters as unknown[])));
  },
} satisfies ExportedHandler<{ CASES: DurableObjectNamespace<Cases> }>;

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
