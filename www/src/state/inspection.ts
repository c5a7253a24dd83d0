import type { Proof, Room } from "hublet/browser";

import type { Changes } from "./changes";

/** One thing in a proof that covers bytes: a hash or a signature. */
export interface Seal {
  readonly key: string;
  readonly name: string;
  readonly says: string;
  readonly value: string;
  readonly covers: Uint8Array;
  readonly verdict: "holds" | "wrong" | "unknown";
}

/** What of the chosen event is looked at: its proof, and which of its seals lights up the bytes. */
export class Inspection {
  private eventId: string | undefined;
  private seals: readonly Seal[] = [];
  private chosen: string | undefined;
  private pointed: string | undefined;

  constructor(
    private readonly room: Room,
    private readonly changes: Changes,
  ) {}

  /** The seals of an event; empty until its proof has been read. */
  of(eventId: string, nameOfServer: (server: string) => string): readonly Seal[] {
    if (this.eventId !== eventId) {
      this.eventId = eventId;
      this.seals = [];
      void this.load(eventId, nameOfServer);
    }
    return this.seals;
  }

  get lit(): Seal | undefined {
    return this.seal(this.pointed) ?? this.seal(this.chosen) ?? this.seals[0];
  }

  choose(key: string): void {
    this.chosen = key;
    this.changes.tell();
  }

  point(key: string | undefined): void {
    this.pointed = key;
    this.changes.tell();
  }

  private seal(key: string | undefined): Seal | undefined {
    return this.seals.find((seal) => seal.key === key);
  }

  /** An event without a proof (still sending, or a mere link) has no seals to show. */
  private async load(eventId: string, nameOfServer: (server: string) => string): Promise<void> {
    const proof = await this.room.proof(eventId).catch(() => undefined);
    if (!proof || this.eventId !== eventId) return;
    this.seals = sealsOf(proof, nameOfServer);
    this.changes.tell();
  }
}

function sealsOf(proof: Proof, nameOfServer: (server: string) => string): Seal[] {
  const { contentHash, lpduHash } = proof;
  const found: Seal[] = [
    { key: "id", name: "Event ID", says: "The hash of these bytes is its name; the next event will repeat it.", value: proof.eventId, covers: proof.referenceHash, verdict: "holds" },
  ];
  for (const { server, keyId, signature, covers, as, valid } of proof.signatures) {
    const role = { sender: "Sender’s signature", hub: "Hub’s signature", both: "Sender’s and hub’s signature" }[as];
    const verdict = valid === true ? "holds" : valid === false ? "wrong" : "unknown";
    found.push({ key: `${as} ${server} ${keyId}`, name: role, says: `${nameOfServer(server)} signed these bytes with ${keyId}.`, value: signature, covers, verdict });
  }
  found.push({ key: "content", name: "Content hash", says: "What was said, by whom, and where on the line.", value: contentHash.stated, covers: contentHash.covers, verdict: agree(contentHash) });
  if (lpduHash) {
    found.push({ key: "lpdu", name: "Sender’s hash", says: "What the sender handed to the hub, before it had a place.", value: lpduHash.stated, covers: lpduHash.covers, verdict: agree(lpduHash) });
  }
  return found;
}

function agree({ stated, computed }: { stated: string; computed: string }): Seal["verdict"] {
  return stated === computed ? "holds" : "wrong";
}
