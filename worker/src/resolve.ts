// Where a server is reached (spec, section 6, Server names to addresses). There is no DNS here but the platform's, so no SRV records are looked up.
import { readBytes } from "./body.js";
import { now } from "./clock.js";
import { log, reason } from "./log.js";

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

/** Redirects of a .well-known that are followed. */
const MOST_REDIRECTS = 5;

/** Names that mean something within a house or a machine only. What a name out in the world resolves to is the platform's to guard: there is no DNS here. */
const PRIVATE = /(^|\.)(localhost|local|localdomain|internal|intranet|lan|home|corp|home\.arpa|onion)$/i;

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
    log("info", "no usable .well-known", { server, why: reason(error) });
    return { base: `https://${host}:8448`, until: now() + HOUR };
  }
}

async function wellKnown(host: string, fetch: Fetch, signal: AbortSignal): Promise<Place> {
  const answer = await follow(new URL(`https://${host}/.well-known/matrix/server`), fetch, signal);
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
  const document = await readBytes(answer.body, MAX_DOCUMENT);
  const named: unknown = JSON.parse(new TextDecoder().decode(document))?.["m.server"];
  if (typeof named !== "string") throw new Error("it names no server");
  const name = publicName(named);
  const { port } = parse(name);
  const base = port === undefined ? `https://${name}:8448` : `https://${name}`;
  return { base, until: now() + believedFor(answer.headers) };
}

/** Fetches, and follows redirects as far as they lead to places that may be reached: over TLS, by a public name. */
async function follow(first: URL, fetch: Fetch, signal: AbortSignal): Promise<Response> {
  let url = first;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    if (url.protocol !== "https:" || url.username !== "" || url.password !== "") throw new Error("it redirects to what is no https address");
    publicName(url.host);
    const answer = await fetch(url.href, { redirect: "manual", signal });
    const location = answer.status >= 300 && answer.status < 400 ? answer.headers.get("location") : null;
    if (location === null) return answer;
    await answer.body?.cancel();
    url = new URL(location, url);
  }
  throw new Error(`it redirects more than ${MOST_REDIRECTS} times`);
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
  if (PRIVATE.test(host) || !host.includes(".")) throw new Error("the name is of no server out in the world");
  if (/(^|\.)key\.invalid$/i.test(host)) throw new Error("a key name is reached over a link of its own only");
  return name;
}
