/** A time during which a server could not be reached, in milliseconds since the epoch. */
export interface Gap {
  readonly from: number;
  to: number | undefined;
}

interface Lane {
  /** The lowest position at which the server was seen. */
  first: number;
  readonly gaps: Gap[];
}

/** Links to others end in the moment in which ours are cut, or a little later. */
const TOGETHER = 2000;

/** The servers of a room, in the order in which they came to the line, and when they were away. */
export class Lanes {
  private readonly known = new Map<string, Lane>();

  constructor(private readonly own: string) {}

  get servers(): readonly string[] {
    return [...this.known].sort(([, a], [, b]) => a.first - b.first).map(([server]) => server);
  }

  see(server: string, position = Number.MAX_SAFE_INTEGER): void {
    const lane = this.known.get(server);
    if (lane) lane.first = Math.min(lane.first, position);
    else this.known.set(server, { first: position, gaps: [] });
  }

  /** While we are away ourselves nothing can be said about others. */
  gaps(server: string): readonly Gap[] {
    const gaps = this.known.get(server)?.gaps ?? [];
    if (server === this.own) return gaps;
    const ours = this.known.get(this.own)?.gaps ?? [];
    return gaps.filter(({ from }) => !ours.some((gap) => from > gap.from - TOGETHER && from < (gap.to ?? Infinity) + TOGETHER));
  }

  /** Notes that a server went away or came back. Servers outside the room have no lane. */
  mark(server: string, connected: boolean, now: number): void {
    const gaps = this.known.get(server)?.gaps;
    const last = gaps?.at(-1);
    const away = last !== undefined && last.to === undefined;
    if (connected && away) last.to = now;
    else if (!connected && !away) gaps?.push({ from: now, to: undefined });
  }
}
