// What people see: one line for each thing that happened. Text of others is shown without control characters, since a terminal obeys them.
import { CHECKS } from "./checks.js";

/**
 * @typedef {import("./checks.js").Fact} Fact
 * @typedef {import("./participant.js").Told} Told
 */

/** Where the marks stand, unless the words are longer. */
const COLUMNS = 78;

const MARKS = { passed: "✓", failed: "✗", "not run": "·" };

/**
 * @param {Told} told
 * @returns {string}
 */
export function line(told) {
  switch (told.type) {
    case "event":
      return eventLine(told);
    case "ready":
      return `${told.user} on http://127.0.0.1:${told.port}, key ${told.keyId} (${told.isNewKey ? "new" : "kept"})`;
    case "joined":
      return `joined ${told.roomId}`;
    case "healed":
      return `${told.events} earlier events of ${told.roomId} fetched from its hub`;
    case "invited":
      return `${clean(told.sender)} invites you: join ${told.roomId}`;
    case "inviteEnded":
      return `the invite to ${told.roomId} was taken back`;
    case "proven":
      return `${told.eventId}: its sender's key came, and the signature is right`;
    case "warning":
      return `WARNING ${told.roomId}: ${clean(told.text)}`;
    case "rejoining":
      return `this log was in memory: rejoining ${told.roomId}`;
    case "failed":
      return `${told.what}: ${clean(told.error)}`;
    case "answer":
      return told.lines.map(clean).join("\n");
  }
}

/** @param {Fact} fact */
function eventLine({ roomId, position, event, checks, isHistory }) {
  const marks = CHECKS.map((check) => `${MARKS[checks[check]]}${check}`).join(" ");
  const place = `${shortRoom(roomId)} ${String(position).padStart(4)}`;
  const words = `${place} ${isHistory ? "(earlier) " : ""}${clean(said(event))}`;
  return `${words.padEnd(COLUMNS)} [${marks}]`;
}

/**
 * What an event says, in words.
 * @param {any} event
 */
export function said({ type, sender, state_key: stateKey, content }) {
  switch (type) {
    case "m.room.message":
      return `${sender}: ${text(content.body) ?? "(removed)"}`;
    case "m.room.member":
      return memberChange(sender, stateKey, content.membership);
    case "m.room.create":
      return `${sender} made the room`;
    case "m.room.name":
      return `${sender} names the room "${text(content.name) ?? ""}"`;
    case "m.room.join_rules":
      return `${sender} lets in: ${text(content.join_rule) ?? "?"}`;
    case "m.room.history_visibility":
      return `${sender} shows history to: ${text(content.history_visibility) ?? "?"}`;
    default:
      return `${sender} sets ${type}`;
  }
}

/**
 * @param {string} sender
 * @param {string} target
 * @param {unknown} membership
 */
function memberChange(sender, target, membership) {
  if (membership === "invite") return `${sender} invites ${target}`;
  if (membership === "join") return `${target} joins`;
  if (membership === "ban") return `${sender} bans ${target}`;
  if (membership === "leave") return sender === target ? `${target} leaves` : `${sender} removes ${target}`;
  return `${target}: ${membership}`;
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value : undefined;
}

/** @param {string} roomId */
function shortRoom(roomId) {
  return roomId.split(":")[0].slice(0, 7).padEnd(7);
}

/** @param {string} words */
function clean(words) {
  return words.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");
}
