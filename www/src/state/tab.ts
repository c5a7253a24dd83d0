import { someName } from "../names";

/** What belongs to this tab and outlives a reload: which server it is, and what its user is called. */
const SERVER = "hublet-demo-server";
const NAME = "hublet-demo-name";

/**
 * The name of this tab's server. A duplicated tab starts with a copy of the first one's memory, so the name is held by a lock as long as the tab lives: whoever finds it held is
 * another tab and takes a new one.
 */
export async function serverName(): Promise<string> {
  const known = sessionStorage.getItem(SERVER);
  if (known && (await hold(known))) return known;
  const name = `tab-${crypto.randomUUID().slice(0, 8)}`;
  await hold(name);
  sessionStorage.setItem(SERVER, name);
  return name;
}

/** Whether this tab has been a server before, so that there may be rooms to come back to. */
export function wasHere(): boolean {
  return sessionStorage.getItem(SERVER) !== null;
}

function hold(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const until = new Promise<never>(() => undefined);
    navigator.locks
      .request(`hublet-demo:${name}`, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock ? until : undefined;
      })
      .catch(() => resolve(false));
  });
}

export function displayName(): string {
  const known = sessionStorage.getItem(NAME);
  if (known) return known;
  const name = someName();
  sessionStorage.setItem(NAME, name);
  return name;
}

export function setDisplayName(name: string): void {
  if (name.trim()) sessionStorage.setItem(NAME, name.trim().slice(0, 40));
}
