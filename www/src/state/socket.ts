import type { Hublet, HubletError } from "hublet/browser";

import { serverOf } from "../names";

/**
 * A hub behind a WebSocket. Where it is stands in the page's address, in front of the room: so a reload finds it again, and so does whoever follows the invite.
 */
const PARAMETER = "socket";
const KNOWN = "hublet-demo-socket ";

export function socketOf(link: string): string | undefined {
  return URL.parse(link)?.searchParams.get(PARAMETER) ?? undefined;
}

/** The page's address with that socket in it, or without any. */
export function addressWith(socket: string | undefined): string {
  const url = new URL(location.href);
  url.search = socket === undefined ? "" : `?${new URLSearchParams({ [PARAMETER]: socket })}`;
  return url.href;
}

/** The socket by which this tab has come to a room before. */
export function knownSocket(roomId: string): string | undefined {
  return sessionStorage.getItem(KNOWN + roomId) ?? undefined;
}

/** Keeps a link to a room's hub, the server that it was made at; answers when the link stands for the first time. */
export async function connect(hublet: Hublet, roomId: string, socket: string): Promise<void> {
  const hub = serverOf(roomId);
  sessionStorage.setItem(KNOWN + roomId, socket);
  await hublet.connectSocket(hub, socket).catch((error: HubletError) => {
    throw new Error(`There is no hub called ${hub} behind ${socket}, or it does not answer: ${error.message}.`, { cause: error });
  });
}
