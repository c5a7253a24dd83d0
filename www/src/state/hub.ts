import { serverOf } from "../names";
import type { Session } from "./session";

/**
 * Moving a room's hub to another tab. The hub consents and gives the heir's user the power; the heir then takes it. That it may is told by ephemeral data, so that one click does
 * both; where taking it fails the heir has a button to try again.
 */
const OFFER = "hublet.demo.hub";

export async function offerHub(session: Session, server: string): Promise<void> {
  await session.room.transferHub(server);
  await session.room.sendEphemeral(OFFER, { server });
}

/** Only the word of the hub counts. */
export function listenForHub(session: Session): void {
  session.room.addEventListener("ephemeral", ({ detail: { sender, kind, data } }) => {
    if (kind !== OFFER || serverOf(sender) !== session.room.hub || data?.server !== session.hublet.server) return;
    session.offeredBy = session.room.hub;
    void takeHub(session);
  }, { signal: session.signal });
}

export function mayTakeHub(session: Session): boolean {
  return session.online && session.offeredBy === session.room.hub;
}

export async function takeHub(session: Session): Promise<void> {
  await session.attempt("Taking the hub", session.room.takeHub());
}
