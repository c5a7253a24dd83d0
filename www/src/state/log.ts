import type { RoomEvent } from "hublet/browser";

/** The room's log as far as it is here, in order, and what is on its way to it. */
export class Log {
  private readonly placed: RoomEvent[] = [];
  private readonly apart = new Map<string, RoomEvent>();
  private readonly byId = new Map<string, RoomEvent>();

  /** In the order of the log. */
  get events(): readonly RoomEvent[] {
    return this.placed;
  }

  /** Ours that are still sending, oldest first. */
  get waiting(): readonly RoomEvent[] {
    return [...this.apart.values()].filter(({ status }) => status === "sending");
  }

  /** All that a person should be told, in one order: what was refused stands where it was said, what is sending at the end. */
  get told(): readonly RoomEvent[] {
    const told = [...this.placed];
    for (const event of this.apart.values()) {
      const after = event.status === "refused" ? told.findLastIndex((other) => other.originServerTs <= event.originServerTs) : told.length - 1;
      told.splice(after + 1, 0, event);
    }
    return told;
  }

  get head(): RoomEvent | undefined {
    return this.placed.at(-1);
  }

  /** Takes an event in any order and at any status; the same one again replaces what was there. */
  take(event: RoomEvent): void {
    const key = keyOf(event);
    if (event.position === undefined) {
      if (!this.byId.has(key)) this.apart.set(key, event);
      return;
    }
    this.apart.delete(key);
    if (event.lpduId) this.apart.delete(event.lpduId);
    this.byId.set(key, event);
    this.byId.set(event.eventId, event);
    this.place(event, event.position);
  }

  find(eventId: string): RoomEvent | undefined {
    return this.byId.get(eventId) ?? [...this.apart.values()].find((event) => event.eventId === eventId);
  }

  /** Most events come at the end, so the place is looked for from there. */
  private place(event: RoomEvent, position: number): void {
    let at = this.placed.length;
    while (at > 0 && positionOf(this.placed[at - 1]) >= position) at -= 1;
    const there = this.placed[at];
    this.placed.splice(at, there && positionOf(there) === position ? 1 : 0, event);
  }
}

/** What stays the same from a local echo to the event in the log. */
export function keyOf(event: RoomEvent): string {
  return event.txn ?? event.eventId;
}

function positionOf(event: RoomEvent | undefined): number {
  return event?.position ?? Number.MAX_SAFE_INTEGER;
}
