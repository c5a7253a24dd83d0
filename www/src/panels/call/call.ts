import { messageOf, RINGS, type Session } from "../../state/session";
import { send, signal, type Common, type Contents, type Signal } from "./signals";

export type Stage = "idle" | "asking" | "calling" | "ringing" | "connecting" | "talking" | "ended";

type Invite = Contents["m.call.invite"];

/** Routes are found in quick succession; those of this many milliseconds share an event. */
const GATHER = 150;

/** One call at a time, with whoever answers first. */
export class Call {
  stage: Stage = "idle";
  other: string | undefined;
  failure: string | undefined;
  ours: MediaStream | undefined;
  theirs: MediaStream | undefined;
  private readonly party = crypto.randomUUID();
  private readonly ending = new AbortController();
  private id: string | undefined;
  private invite: Invite | undefined;
  private connection: RTCPeerConnection | undefined;
  /** Routes that came before the description that they belong to. */
  private early: RTCIceCandidateInit[] = [];

  constructor(
    private readonly session: Session,
    private readonly tell: () => void,
  ) {}

  /** Takes what is said about calls from now on, and what rings already: the panel may be opened for that. */
  listen(): void {
    const { session } = this;
    const hear = (event: Parameters<typeof signal>[1]): void => {
      const heard = signal(session, event);
      if (heard) void this.hear(heard);
    };
    const { events } = session.log;
    if (session.isRinging) events.slice(events.findLastIndex(({ type }) => type === "m.call.invite")).forEach(hear);
    session.room.addEventListener("event", ({ detail }) => hear(detail), { signal: this.ending.signal });
  }

  async start(): Promise<void> {
    this.id = crypto.randomUUID();
    const connection = await this.prepare();
    if (!connection) return;
    await connection.setLocalDescription();
    this.set("calling");
    await send(this.session, "m.call.invite", { ...this.common(), lifetime: RINGS, offer: { type: "offer", sdp: connection.localDescription?.sdp ?? "" } });
  }

  async answer(): Promise<void> {
    const { invite } = this;
    const connection = invite && (await this.prepare());
    if (!connection) return;
    await this.describe(connection, invite.offer);
    await connection.setLocalDescription();
    this.set("connecting");
    await send(this.session, "m.call.answer", { ...this.common(), answer: { type: "answer", sdp: connection.localDescription?.sdp ?? "" } });
  }

  hangUp(): void {
    if (this.id) void send(this.session, "m.call.hangup", { ...this.common(), reason: "user_hangup" });
    this.close("ended");
  }

  /** The panel is left: the call ends with it. */
  end(): void {
    this.ending.abort();
    if (this.connection) this.hangUp();
  }

  private async hear(heard: Signal): Promise<void> {
    if (heard.type === "m.call.invite") {
      const free = this.stage === "idle" || this.stage === "ended";
      if (!free || heard.age > heard.content.lifetime) return;
      this.id = heard.content.call_id;
      this.invite = heard.content;
      this.early = [];
      this.other = heard.sender;
      return this.set("ringing");
    }
    if (heard.content.call_id !== this.id) return;
    if (heard.type === "m.call.hangup") return this.close("ended");
    if (heard.type === "m.call.candidates") return this.route(heard.content.candidates);
    // Somebody else was quicker.
    if (this.stage === "ringing") return this.close("ended");
    if (this.stage !== "calling" || !this.connection) return;
    this.other = heard.sender;
    this.set("connecting");
    await this.describe(this.connection, heard.content.answer);
  }

  private async describe(connection: RTCPeerConnection, description: RTCSessionDescriptionInit): Promise<void> {
    try {
      await connection.setRemoteDescription(description);
    } catch (error) {
      return this.fail(error);
    }
    await this.route(this.early.splice(0));
  }

  private async route(candidates: readonly RTCIceCandidateInit[]): Promise<void> {
    if (!this.connection?.remoteDescription) {
      this.early.push(...candidates);
      return;
    }
    // One route that is of no use leaves the others.
    for (const candidate of candidates) await this.connection.addIceCandidate(candidate).catch(() => undefined);
  }

  /** Camera, microphone and a connection that tells of its routes. */
  private async prepare(): Promise<RTCPeerConnection | undefined> {
    this.failure = undefined;
    this.set("asking");
    try {
      this.ours = await media();
    } catch (error) {
      this.fail(error);
      return undefined;
    }
    const connection = new RTCPeerConnection();
    this.connection = connection;
    for (const track of this.ours.getTracks()) connection.addTrack(track, this.ours);
    connection.addEventListener("track", ({ streams }) => {
      this.theirs = streams[0];
      this.tell();
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection.connectionState === "connected") this.set("talking");
      if (connection.connectionState === "failed") this.fail(new Error("No way was found between the two tabs."));
    });
    this.gather(connection);
    return connection;
  }

  private gather(connection: RTCPeerConnection): void {
    const found: RTCIceCandidateInit[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (!candidate?.candidate) return;
      found.push(plain(candidate));
      timer ??= setTimeout(() => {
        timer = undefined;
        if (connection === this.connection) void send(this.session, "m.call.candidates", { ...this.common(), candidates: found.splice(0) });
      }, GATHER);
    });
  }

  private common(): Common {
    return { call_id: this.id ?? "", party_id: this.party, version: "1" };
  }

  private fail(error: unknown): void {
    this.failure = messageOf(error);
    this.close("ended");
  }

  private close(stage: Stage): void {
    this.connection?.close();
    this.ours?.getTracks().forEach((track) => track.stop());
    this.connection = this.ours = this.theirs = this.id = this.invite = undefined;
    this.early = [];
    this.set(stage);
  }

  private set(stage: Stage): void {
    this.stage = stage;
    this.tell();
  }
}

/** With a picture where there is a camera, with sound alone where there is none. */
async function media(): Promise<MediaStream> {
  const video = { width: 640, height: 360 };
  return navigator.mediaDevices.getUserMedia({ audio: true, video }).catch(() => navigator.mediaDevices.getUserMedia({ audio: true }));
}

function plain({ candidate, sdpMid, sdpMLineIndex }: RTCIceCandidate): RTCIceCandidateInit {
  return { candidate, sdpMid, sdpMLineIndex };
}
