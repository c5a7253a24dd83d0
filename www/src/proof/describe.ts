import type { RoomEvent } from "hublet/browser";

import { serverOf } from "../names";

/** One word for the label on the line. */
const LABELS: Record<string, string> = {
  "m.room.create": "create",
  "m.room.member": "member",
  "m.room.message": "message",
  "m.room.name": "name",
  "m.room.topic": "topic",
  "m.room.power_levels": "power",
  "m.room.join_rules": "join rules",
  "m.room.history_visibility": "history",
  "m.room.hub": "hub",
  "m.room.redaction": "redaction",
  "m.call.invite": "call",
  "m.call.answer": "answer",
  "m.call.candidates": "routes",
  "m.call.hangup": "hang-up",
  "hublet.demo.reading": "reading",
  "hublet.demo.object": "object",
};

export function label(event: RoomEvent): string {
  return LABELS[event.type] ?? event.type.slice(event.type.lastIndexOf(".") + 1).replaceAll("_", " ");
}

/** What an event that is no message says in the conversation, or nothing when it does not belong there. */
export function sentence(event: RoomEvent, nameOf: (user: string) => string, nameOfServer: (server: string) => string): string | undefined {
  const who = nameOf(event.sender);
  switch (event.type) {
    case "m.room.create":
      return `${who} made the room`;
    case "m.room.member":
      return membership(event, who, nameOf(event.stateKey ?? ""));
    case "m.room.name":
      return `${who} named the room “${String(event.content.name ?? "")}”`;
    case "m.room.hub":
      return `${nameOfServer(serverOf(event.sender))} is the hub from here on`;
    case "m.call.invite":
      return `${who} is calling`;
    case "m.call.hangup":
      return `${who} ended the call`;
    case "hublet.demo.object":
      return `${who} ${Object.keys(event.content as object).length > 0 ? "placed an object" : "took an object away"} in the scene`;
    default:
      return undefined;
  }
}

function membership(event: RoomEvent, who: string, whom: string): string {
  switch (event.content.membership) {
    case "join":
      return `${whom} joined`;
    case "invite":
      return `${who} invited ${whom}`;
    case "leave":
      return event.sender === event.stateKey ? `${whom} left` : `${who} removed ${whom}`;
    default:
      return `${whom}: ${String(event.content.membership)}`;
  }
}
