// Where a server is reached (spec, section 6, Server names to addresses). There is no DNS here but the platform's, so no SRV records are looked up.
import { readBytes } from "./body.js";

/** Where a server is reached, and how long that is believed, in milliseconds. */
export interface Place {
  /** The base address, without a slash at its end. */
  base: string;
  until: number;
}

const NAME = /^(?<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)(?::(?<port>[0-9]{1,5}))?$/;

/** A host whose last label is a number is an IP address to whoever reads the address: in decimal, or in hexadecimal. */
const ADDRESS = /(^|\.)([0-9]+|0x[0-9a-f]*)$/i;

const HOUR = 3_600_000;
const DEFAULT_TIME = 24 * HOUR;
const LONGEST_TIME = 48 * HOUR;
const MAX_DOCUMENT = 51_200;

/** The part of the platform that is used here. */
export type Fetch = (url: string, options: RequestInit) => Promise<Response>;

/**
 * Looks a server up. It fails when the server may not be reached.
 *
 * In development that is every one but `localhost` with a port, so that a hub under test never speaks to the world; elsewhere `localhost` is never reached.
 */
export async function lookUp(server: string, isDevelopment: boolean, fetch: Fetch, signal: AbortSignal): Promise<Place> {
  const { host, port } = parse(server);
  if (isDevelopment) {
    if (host !== "localhost" || port === undefined) throw new Error("in development only `localhost:PORT` is reached");
    return { base: `http://${server}`, until: Number.POSITIVE_INFINITY };
  }
  if (port !== undefined) return { base: `https://${publicName(server)}`, until: Number.POSITIVE_INFINITY };
  publicName(server);
  try {
    return await wellKnown(host, fetch, signal);
  } catch (error) {
    // Whoever serves no such document is reached at the usual port.
    console.warn(`${server} has no usable .well-known:`, String(error));
    return { base: `https://${host}:8448`, until: Date.now() + HOUR };
  }
}

async function wellKnown(host: string, fetch: Fetch, signal: AbortSignal): Promise<Place> {
  const answer = await fetch(`https://${host}/.well-known/matrix/server`, { redirect: "follow", signal });
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
  const document = await readBytes(answer.body, MAX_DOCUMENT);
  const named: unknown = JSON.parse(new TextDecoder().decode(document))?.["m.server"];
  if (typeof named !== "string") throw new Error("it names no server");
  const name = publicName(named);
  const { port } = parse(name);
  const base = port === undefined ? `https://${name}:8448` : `https://${name}`;
  return { base, until: Date.now() + believedFor(answer.headers) };
}

/** How long an answer holds: as long as it says, a day by default, two at most. */
function believedFor(headers: Headers): number {
  const seconds = /(?:^|,)\s*max-age=(\d+)/i.exec(headers.get("cache-control") ?? "")?.[1];
  return seconds === undefined ? DEFAULT_TIME : Math.min(Number(seconds) * 1_000, LONGEST_TIME);
}

function parse(name: string): { host: string; port: string | undefined } {
  const { host, port } = NAME.exec(name)?.groups ?? {};
  if (host === undefined || ADDRESS.test(host)) throw new Error(`\`${name}\` is no name of a server`);
  return { host, port };
}

/** The name, if it may be one out in the world. */
function publicName(name: string): string {
  const { host } = parse(name);
  const isPrivate = /(^|\.)localhost$/i.test(host);
  if (isPrivate) throw new Error("`localhost` is reached in development only");
  if (/(^|\.)key\.invalid$/i.test(host)) throw new Error("a key name is reached over a link of its own only");
  return name;
}
