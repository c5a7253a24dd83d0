// An EventTarget whose events have types.

/** Takes an event whose `detail` is what happened. */
export type Listener<T> = ((event: CustomEvent<T>) => void) | null;

export class Emitter<Events> extends EventTarget {
  /** Calls the listeners of that type. */
  protected emit<K extends keyof Events & string>(type: K, detail: Events[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Calls `listener` whenever that happens. */
  override addEventListener<K extends keyof Events & string>(type: K, listener: Listener<Events[K]>, options?: AddEventListenerOptions | boolean): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;
  override addEventListener(type: string, listener: any, options?: AddEventListenerOptions | boolean): void {
    super.addEventListener(type, listener, options);
  }

  /** Calls it no longer. */
  override removeEventListener<K extends keyof Events & string>(type: K, listener: Listener<Events[K]>, options?: EventListenerOptions | boolean): void;
  override removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: EventListenerOptions | boolean): void;
  override removeEventListener(type: string, listener: any, options?: EventListenerOptions | boolean): void {
    super.removeEventListener(type, listener, options);
  }
}
