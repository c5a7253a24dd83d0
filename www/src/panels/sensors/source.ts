/** Something that can be read now. */
export interface Source {
  readonly name: string;
  readonly unit: string;
  readonly synthetic: boolean;
  read(): number;
  stop(): void;
}

/** A device that has a sensor speaks within this time. */
const PATIENCE = 700;

/** The acceleration of this device, where it has such a sensor and the browser lets us; else a signal made up here, and called so. */
export async function listen(): Promise<Source> {
  return (await motion()) ?? synthetic();
}

async function motion(): Promise<Source | undefined> {
  if (typeof DeviceMotionEvent === "undefined") return undefined;
  const { requestPermission } = DeviceMotionEvent as { requestPermission?: () => Promise<string> };
  if (requestPermission && (await requestPermission().catch(() => "denied")) !== "granted") return undefined;
  return new Promise((resolve) => {
    let value: number | undefined;
    const hear = ({ accelerationIncludingGravity: a }: DeviceMotionEvent): void => {
      if (a?.x == null || a.y == null || a.z == null) return;
      value = Math.hypot(a.x, a.y, a.z);
    };
    const stop = (): void => removeEventListener("devicemotion", hear);
    addEventListener("devicemotion", hear);
    setTimeout(() => {
      if (value === undefined) stop();
      resolve(value === undefined ? undefined : { name: "acceleration of this device", unit: "m/s²", synthetic: false, read: () => value ?? 0, stop });
    }, PATIENCE);
  });
}

/** Two waves and a little noise, so that it looks like something that was measured; its name says that it was not. */
function synthetic(): Source {
  const from = performance.now();
  const phase = Math.random() * 6;
  const read = (): number => {
    const t = (performance.now() - from) / 1000;
    return 20 + 3 * Math.sin(t / 1.7 + phase) + Math.sin(t * 2.3) * 0.8 + (Math.random() - 0.5) * 0.5;
  };
  return { name: "synthetic signal", unit: "°C", synthetic: true, read, stop: () => undefined };
}
