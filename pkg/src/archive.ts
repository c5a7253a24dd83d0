// A room's log out of the server and into one: JSON lines, one event each, oldest first. Both ways it goes page by page, however long it is.
import type { Connection } from "./connection.js";
import { HubletError } from "./error.js";

/** Entries that are read at a time. */
const ENTRIES = 1_000;

/** Bytes of lines that are handed over at a time. */
const PAGE = 256 * 1024;

/** No event is longer. */
const LINE = 64 * 1024;

/** How often an import begins anew, and after how many milliseconds. */
const TRIES = 10;
const PAUSE = 100;

const NEW_LINE = 10;

/** The whole log, with what was before our join as far as the hub serves it. */
export async function exportLog(connection: Connection, roomId: string): Promise<Blob> {
  const pages: Uint8Array<ArrayBuffer>[] = [];
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const { entries } = await connection.ask(`room:${roomId}`, { type: "history", before, limit: ENTRIES }, "history");
    const lines = entries.flatMap(({ event }) => (event ? [event as Uint8Array<ArrayBuffer>, new Uint8Array([NEW_LINE])] : []));
    pages.unshift(...lines);
    const first = entries[0];
    if (!first || entries.length < ENTRIES) return new Blob(pages, { type: "application/jsonl" });
    before = first.position;
  }
}

/** Hands a log to the server. The room, whose ID is answered, is there when the last line was taken, or not at all. */
export async function importLog(connection: Connection, file: Blob): Promise<string> {
  const roomId = await roomOf(file);
  const ask = (from: number, lines: Uint8Array, end: boolean) => connection.ask(`room:${roomId}`, { type: "restore", from, lines, end }, end ? "accepted" : "done");
  let isBegun = false;
  for (let tries = 0; ; tries++) {
    try {
      for await (const page of pagesOf(file)) {
        await ask(page.from, page.lines, page.end);
        isBegun = true;
      }
      return roomId;
    } catch (error) {
      // Another tab became the writer, which has nothing of the lines that were handed to the one before; or what a broken log left is being removed.
      if (!isBadState(error)) throw error;
      const isThere = await isHere(connection, roomId);
      // What was interrupted may have been the answer to the last page.
      if (isBegun && isThere) return roomId;
      if (isThere || tries === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Whole lines, and how many came before them. */
async function* pagesOf(file: Blob): AsyncGenerator<{ from: number; lines: Uint8Array; end: boolean }> {
  for (let at = 0, from = 0, end = false; !end; ) {
    const part = new Uint8Array(await file.slice(at, at + PAGE).arrayBuffer());
    end = at + part.length >= file.size;
    // Without an end in so many bytes it is no event, and the server says so.
    const lines = end ? part : part.slice(0, part.lastIndexOf(NEW_LINE) + 1 || part.length);
    yield { from, lines, end };
    at += lines.length;
    from += count(lines);
  }
}

function isBadState(error: unknown): boolean {
  return error instanceof HubletError && error.errcode === "M_BAD_STATE";
}

async function isHere(connection: Connection, roomId: string): Promise<boolean> {
  const state = connection.ask(`room:${roomId}`, { type: "state" }, "entries");
  return state.then(() => true, () => false);
}

/** The room that the first line says. */
async function roomOf(file: Blob): Promise<string> {
  const [line = ""] = (await file.slice(0, LINE).text()).split("\n");
  try {
    const { room_id: roomId } = JSON.parse(line);
    if (typeof roomId === "string") return roomId;
  } catch {
    // Told below.
  }
  throw new HubletError("argument", "this is no export of a room: its first line is no event");
}

/** How many lines these are; empty ones are none. */
function count(lines: Uint8Array): number {
  return lines.reduce((sum, byte, at) => sum + (byte !== NEW_LINE && (at === 0 || lines[at - 1] === NEW_LINE) ? 1 : 0), 0);
}
