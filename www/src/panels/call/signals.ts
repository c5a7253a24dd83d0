import type { RoomEvent } from "hublet/browser";

import type { Session } from "../../state/session";

/** What two tabs say to each other about a call: the content of `m.call.*` events, version 1. */
export interface Common {
  readonly call_id: string;
  readonly party_id: string;
  readonly version: "1";
}

export interface Contents {
  "m.call.invite": Common & { readonly lifetime: number; readonly offer: { readonly type: "offer"; readonly sdp: string } };
  "m.call.answer": Common & { readonly answer: { readonly type: "answer"; readonly sdp: string } };
  "m.call.candidates": Common & { readonly candidates: readonly RTCIceCandidateInit[] };
  "m.call.hangup": Common & { readonly reason: string };
}

export type Signal = { [T in keyof Contents]: { readonly type: T; readonly sender: string; readonly age: number; readonly content: Contents[T] } }[keyof Contents];

export function send<T extends keyof Contents>(session: Session, type: T, content: Contents[T]): Promise<unknown> {
  return session.attempt("The call", session.room.send(type, content));
}

/** An event as a signal of another's, when it is one in a form that we understand. */
export function signal(session: Session, event: RoomEvent): Signal | undefined {
  const { type, content, sender } = event;
  if (event.status !== "sent" || event.redacted || sender === session.hublet.user || !isText(content.call_id) || !isText(content.party_id)) return undefined;
  const age = Date.now() - event.originServerTs;
  switch (type) {
    case "m.call.invite":
      return isText(content.offer?.sdp) && Number.isSafeInteger(content.lifetime) ? { type, sender, age, content } : undefined;
    case "m.call.answer":
      return isText(content.answer?.sdp) ? { type, sender, age, content } : undefined;
    case "m.call.candidates":
      return Array.isArray(content.candidates) ? { type, sender, age, content } : undefined;
    case "m.call.hangup":
      return { type, sender, age, content };
    default:
      return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
