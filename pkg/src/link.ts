// Links to rooms: a page's address with the room, and servers that know it, behind `#`.

/** Reads a link to a room, at the end of any URL or alone; `null` when it is none. */
export function parseLink(link: string): { roomId: string; via: string[] } | null {
  const found = /(?:^|#)(![^?#]+)(?:\?([^#]*))?$/.exec(link.trim());
  if (!found?.[1]) return null;
  let roomId: string;
  try {
    roomId = decodeURIComponent(found[1]);
  } catch {
    return null;
  }
  return { roomId, via: new URLSearchParams(found[2] ?? "").getAll("via") };
}

/** Writes a link that `parseLink` reads. */
export function writeLink(page: string, roomId: string, via: string[]): string {
  const query = via.map((server) => `via=${encodeURIComponent(server)}`).join("&");
  return `${page.replace(/#.*$/, "")}#${roomId}${query && `?${query}`}`;
}
