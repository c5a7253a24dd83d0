/** One signal for "something is different, draw again": many in a frame draw once. */
export class Changes {
  private asked = false;
  private readonly listeners = new Set<() => void>();

  /** Draws in the next frame, or soon where frames rest because the tab is hidden. */
  readonly tell = (): void => {
    if (this.asked) return;
    this.asked = true;
    const run = (): void => {
      this.asked = false;
      for (const listener of this.listeners) listener();
    };
    if (document.hidden) setTimeout(run, 50);
    else requestAnimationFrame(run);
  };

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
