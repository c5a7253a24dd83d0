import type { Check } from "hublet/browser";

/** The rungs in the order in which an event climbs them, and what each asks. */
export const CHECKS: readonly { check: Check; name: string; asks: string }[] = [
  { check: "schema", name: "Schema", asks: "Every field has its form." },
  { check: "sender_signature", name: "Sender's signature", asks: "The sender's server signed it, and nothing that it signed has changed." },
  { check: "hub_signature", name: "Hub's signature", asks: "The hub signed its place on the line." },
  { check: "content_hash", name: "Content hash", asks: "The content is the one that was hashed." },
  { check: "hub", name: "Hub", asks: "It came from the server that was the hub at this place." },
  { check: "auth_rules", name: "Rules", asks: "The sender was allowed to, by the state before it." },
  { check: "chain", name: "Chain", asks: "It names the event before it by its hash." },
];
