// The form of the rows in an object's SQLite. Rows that were written by an earlier program are brought to the present form when the object is opened.
import { tables } from "hublet";

/** Where an object keeps the number of the form that its rows have. */
const KEY = "schema";

/**
 * What brings the rows from each form to the next. Form 0 is of rows without a number: the tables `meta`, `log`, … as they were first made. A program that adds a
 * table or changes one adds a step here, and a test from every form before it.
 */
const STEPS: readonly ((sql: SqlStorage) => void)[] = [
  // 0 to 1: the rows stay as they are, and have a number from now on.
  () => {},
];

/** The present form. */
export const SCHEMA = STEPS.length;

/**
 * The tables whose rows are mostly longer than a kilobyte. In a table without row IDs each of these would take a page of 4 kB beside the one where its key stands;
 * a table that has them, and an index beside it, holds three in a page. Statements are the same for both, and so objects that began without stay as they are.
 */
const LONG: ReadonlySet<string> = new Set(["log"]);

/** Brings the rows to the present form; whether there are any. It throws when a later program wrote them, and then nothing is changed. */
export function migrate(storage: DurableObjectStorage, steps = STEPS): boolean {
  const form = storage.kv.get<number>(KEY) ?? (hasTables(storage.sql) ? 0 : undefined);
  if (form === undefined) return false;
  if (form > steps.length) {
    throw new Error(`these rows have form ${form}, and this program knows forms up to ${steps.length}: deploy the later one again`);
  }
  if (form < steps.length) {
    storage.transactionSync(() => {
      for (const step of steps.slice(form)) step(storage.sql);
      storage.kv.put(KEY, steps.length);
    });
  }
  return true;
}

/** Makes the tables, in the present form. To be called within a transaction. */
export function makeTables(storage: DurableObjectStorage): void {
  for (const name of tables()) {
    const rowIds = LONG.has(name) ? "" : "WITHOUT ROWID";
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS "${name}" (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) ${rowIds}`);
  }
  storage.kv.put(KEY, SCHEMA);
}

function hasTables(sql: SqlStorage): boolean {
  const [first] = tables();
  return sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", first ?? null).toArray().length > 0;
}
