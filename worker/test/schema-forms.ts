// A worker for the test of stored forms only.
import { DurableObject } from "cloudflare:workers";
import { tables } from "hublet";
import { migrate } from "../src/schema.js";
import { Store } from "../src/store.js";

/** A batch of one row in the first table: key 01, value 07. */
const BATCH = Uint8Array.from([1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 7]);

export class Forms extends DurableObject {
  /** What a program without numbers wrote. */
  makeForm0(names: string[]): void {
    for (const name of names) {
      this.ctx.storage.sql.exec(`CREATE TABLE "${name}" (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID`);
    }
    for (const byte of [1, 2, 3]) this.ctx.storage.sql.exec(`INSERT INTO "meta" VALUES (?, ?)`, Uint8Array.of(byte), Uint8Array.of(byte));
  }

  open(): object {
    try {
      const { isEmpty } = new Store(this.ctx.storage);
      const first = isEmpty ? [] : this.ctx.storage.sql.exec<{ value: ArrayBuffer }>(`SELECT value FROM "${tables()[0]}" ORDER BY key`).toArray();
      return {
        schema: this.#schema(),
        isEmpty,
        tables: this.#tables(),
        present: [...tables()].sort(),
        first: first.map(({ value }) => new Uint8Array(value)[0]),
      };
    } catch (error) {
      return { error: String(error) };
    }
  }

  write(): void {
    new Store(this.ctx.storage).apply(BATCH);
  }

  setSchema(form: number): void {
    this.ctx.storage.kv.put("schema", form);
  }

  /** Takes steps that each make a table, behind the first, which does nothing. */
  step(names: string[]): object {
    const steps = [() => {}, ...names.map((name) => (sql: SqlStorage) => void sql.exec(`CREATE TABLE "${name}" (x)`))];
    let error: string | undefined;
    try {
      migrate(this.ctx.storage, steps);
    } catch (caught) {
      error = String(caught);
    }
    const made = this.#tables().filter((name) => /^[a-z]$/.test(name));
    return { schema: this.#schema(), made, ...(error !== undefined && { error }) };
  }

  #schema(): number | null {
    return this.ctx.storage.kv.get<number>("schema") ?? null;
  }

  #tables(): string[] {
    const found = this.ctx.storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'");
    return found.toArray().map(({ name }) => name).sort();
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const { name, method, parameters } = await request.json<{ name: string; method: "open"; parameters: never }>();
    const forms = env.FORMS.getByName(name);
    return Response.json((await (forms[method] as (...given: unknown[]) => unknown)(...(parameters as unknown[]))) ?? null);
  },
} satisfies ExportedHandler<{ FORMS: DurableObjectNamespace<Forms> }>;
