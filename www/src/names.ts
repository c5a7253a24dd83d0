/** What people call servers and users: short names, the two letters of a cell, and a colour that is the same in every tab. */

const ELEMENTS = ["Argon", "Beryl", "Cobalt", "Dysprosium", "Erbium", "Fermium", "Gallium", "Helium", "Indium", "Krypton", "Lithium", "Mercury", "Neon", "Osmium", "Palladium",
  "Radium", "Silver", "Thulium", "Uranium", "Vanadium", "Xenon", "Yttrium", "Zinc"];

/** Colours are numbers of `--server-N` in the styles. */
const COLOURS = 8;

/** A name for a visitor who has given none. */
export function someName(): string {
  const [chance = 0] = crypto.getRandomValues(new Uint32Array(1));
  return ELEMENTS[chance % ELEMENTS.length] ?? "Argon";
}

export function serverOf(user: string): string {
  return user.slice(user.indexOf(":") + 1);
}

/** The server that gave an event its place: events of a hub's own users do not name it apart. */
export function hubOf(event: { readonly hub?: string | undefined; readonly sender: string }): string {
  return event.hub ?? serverOf(event.sender);
}

/** A key name is 52 letters long; the first six tell servers apart. */
export function shortServer(server: string): string {
  return server.endsWith(".key.invalid") ? server.slice(0, 6) : server;
}

/** Two letters for a cell, as in a table of elements. */
export function symbol(name: string): string {
  const letters = [...name.replace(/[^\p{L}\p{N}]/gu, "")];
  return ((letters[0] ?? "?").toUpperCase() + (letters[1] ?? "").toLowerCase());
}

/** The first four letters of an event's ID, which stand on its half of the domino. */
export function shortId(eventId: string): string {
  return eventId.slice(1, 5);
}

/** Hands out colours: each server wants the one that its name gives, and takes the next free one when that is taken. */
export class Palette {
  private readonly taken = new Map<string, number>();

  of(server: string): number {
    const known = this.taken.get(server);
    if (known !== undefined) return known;
    let colour = sum(server) % COLOURS;
    const used = new Set(this.taken.values());
    for (let tries = 0; used.has(colour) && tries < COLOURS; tries += 1) colour = (colour + 1) % COLOURS;
    this.taken.set(server, colour);
    return colour;
  }
}

function sum(text: string): number {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum;
}
