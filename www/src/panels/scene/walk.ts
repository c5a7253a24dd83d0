import { REACH } from "./objects";

/** Where somebody stands and looks: centimetres, and thousandths of a radian. Zero looks away from the viewer. */
export interface Spot {
  readonly x: number;
  readonly z: number;
  readonly turn: number;
}

/** Centimetres and radians a second. */
const PACE = 260;
const SPIN = 2.2;
const NUDGE = 0.15;
const AHEAD = 90;

const MOVES: Record<string, { go: number; spin: number }> = {
  ArrowUp: { go: 1, spin: 0 },
  ArrowDown: { go: -1, spin: 0 },
  ArrowLeft: { go: 0, spin: 1 },
  ArrowRight: { go: 0, spin: -1 },
};

/** Moves this tab's avatar while keys or buttons are held. */
export class Walk {
  private x = Math.round((Math.random() - 0.5) * 360);
  private z = Math.round(Math.random() * 200);
  private turn = 0;
  private readonly held = new Set<string>();
  private last = 0;

  constructor(
    element: HTMLElement,
    private readonly signal: AbortSignal,
    private readonly moved: () => void,
  ) {
    element.addEventListener("keydown", (event) => {
      if (!(event.key in MOVES) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.press(event.key);
    }, { signal });
    element.addEventListener("keyup", ({ key }) => this.release(key), { signal });
    element.addEventListener("blur", () => this.held.clear(), { signal });
  }

  get spot(): Spot {
    return { x: Math.round(this.x), z: Math.round(this.z), turn: Math.round(this.turn * 1000) };
  }

  /** A place in front of the avatar, still on the floor. */
  get ahead(): { x: number; z: number } {
    return { x: Math.round(within(this.x - Math.sin(this.turn) * AHEAD)), z: Math.round(within(this.z - Math.cos(this.turn) * AHEAD)) };
  }

  press(key: string): void {
    if (this.held.has(key)) return;
    if (this.held.size === 0) {
      this.last = performance.now();
      requestAnimationFrame(this.step);
    }
    this.held.add(key);
  }

  release(key: string): void {
    this.held.delete(key);
  }

  /** One small step, for a button that was pressed by the keyboard. */
  nudge(key: string): void {
    this.move(key, NUDGE);
    this.moved();
  }

  private readonly step = (now: number): void => {
    if (this.held.size === 0 || this.signal.aborted) return;
    const seconds = Math.min((now - this.last) / 1000, 0.1);
    this.last = now;
    for (const key of this.held) this.move(key, seconds);
    this.moved();
    requestAnimationFrame(this.step);
  };

  private move(key: string, seconds: number): void {
    const { go, spin } = MOVES[key] ?? { go: 0, spin: 0 };
    this.turn += spin * SPIN * seconds;
    this.x = within(this.x - Math.sin(this.turn) * go * PACE * seconds);
    this.z = within(this.z - Math.cos(this.turn) * go * PACE * seconds);
  }
}

function within(place: number): number {
  return Math.min(Math.max(place, -REACH), REACH);
}
