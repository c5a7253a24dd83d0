import type { Session } from "../../state/session";
import { isPlace } from "./objects";
import type { Spot } from "./walk";

export interface Avatar extends Spot {
  readonly user: string;
  readonly ours: boolean;
}

const KIND = "hublet.demo.avatar";
/** The server passes at most 30 a second; half of that looks smooth, since what lies between is filled in. */
const PAUSE = 66;
/** Who stands still says so now and then, for those who come later; who has said nothing for long is gone. */
const STILL = 2000;
const GONE = 7000;

/** Where everybody stands, by what they say. */
export class Avatars {
  private spot: Spot = { x: 0, z: 0, turn: 0 };
  private readonly others = new Map<string, Avatar & { heard: number }>();
  private due: ReturnType<typeof setTimeout> | undefined;
  private told = 0;

  constructor(
    private readonly session: Session,
    signal: AbortSignal,
    private readonly changed: () => void,
  ) {
    session.room.addEventListener("ephemeral", ({ detail }) => this.hear(detail), { signal });
    const still = setInterval(() => this.rest(), STILL);
    signal.addEventListener("abort", () => {
      clearInterval(still);
      clearTimeout(this.due);
    });
  }

  get all(): Avatar[] {
    return [{ ...this.spot, user: this.session.hublet.user, ours: true }, ...this.others.values()];
  }

  /** Tells the others at once, or as soon as it may be told again. */
  place(spot: Spot): void {
    this.spot = spot;
    this.due ??= setTimeout(() => this.tell(), Math.max(0, PAUSE - (performance.now() - this.told)));
  }

  private tell(): void {
    this.due = undefined;
    this.told = performance.now();
    // What was lost is told again in a moment.
    if (this.session.online) this.session.room.sendEphemeral(KIND, this.spot).catch(() => undefined);
  }

  private rest(): void {
    const now = performance.now();
    if (now - this.told >= STILL) this.place(this.spot);
    for (const [user, { heard }] of this.others) if (now - heard > GONE) this.others.delete(user);
    this.changed();
  }

  private hear({ sender, kind, data }: { sender: string; kind: string; data: unknown }): void {
    if (kind !== KIND || sender === this.session.hublet.user || typeof data !== "object" || data === null) return;
    const { x, z, turn } = data as Record<string, unknown>;
    if (!isPlace(x) || !isPlace(z) || typeof turn !== "number") return;
    this.others.set(sender, { user: sender, ours: false, x, z, turn, heard: performance.now() });
    this.changed();
  }
}
