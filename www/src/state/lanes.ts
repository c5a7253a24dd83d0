/** A stretch of the line during which a server could not be reached. Positions are those of our log. */
export interface Gap {
  readonly from: number;
  to: number | undefined;
}

/** The servers of a room, in the order in which they were first seen, and when they were away. */
export class Lanes {
  private readonly known = new Map<string, Gap[]>();

  get servers(): readonly string[] {
    return [...this.known.keys()];
  }

  see(server: string): void {
    if (!this.known.has(server)) this.known.set(server, []);
  }

  gaps(server: string): readonly Gap[] {
    return this.known.get(server) ?? [];
  }

  /** Notes that a server went away or came back when `head` was the last event in our log. Servers outside the room have no lane. */
  mark(server: string, connected: boolean, head: number): void {
    const gaps = this.known.get(server);
    if (!gaps) return;
    const last = gaps.at(-1);
    const away = last !== undefined && last.to === undefined;
    if (connected && away) last.to = head;
    else if (!connected && !away) gaps.push({ from: head, to: undefined });
  }
}
