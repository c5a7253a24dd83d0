import type { Session } from "../state/session";

const read = new WeakMap<Session, string>();

/** Tells the room how far this tab's user has read, once an event, and only while the tab is looked at. */
export function markRead(session: Session): void {
  if (document.hidden || !session.online) return;
  const newest = session.log.events.findLast((event) => event.type === "m.room.message" && event.sender !== session.hublet.user);
  if (!newest || read.get(session) === newest.eventId) return;
  read.set(session, newest.eventId);
  // A receipt that is lost is of no consequence: the next one says more.
  session.room.read(newest.eventId).catch(() => read.delete(session));
}
