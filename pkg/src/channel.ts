// Data channels, which workers do not have: the page pumps frames between one and a port whose other end the worker holds.

/** The most characters of one message: what every browser takes. */
const PIECE = 16_000;

/** The most characters of a whole frame: more than a transaction and what is around it. */
const LONGEST = 1 << 24;

/** More bytes than this in a channel's buffer wait for it to drain. */
const FULL = 1 << 20;

/** A port whose other end is pumped into the channel. Frames travel as JSON, long ones in pieces: `+` says that more follows, `.` that it was the last. */
export function bridge(channel: RTCDataChannel): MessagePort {
  const { port1: ours, port2: theirs } = new MessageChannel();
  const queue: string[] = [];
  channel.bufferedAmountLowThreshold = FULL / 2;
  const drain = () => {
    while (channel.readyState === "open" && channel.bufferedAmount < FULL) {
      const piece = queue.shift();
      if (piece === undefined) return;
      channel.send(piece);
    }
  };
  channel.onbufferedamountlow = drain;
  ours.onmessage = ({ data }) => {
    const text = JSON.stringify(data);
    for (let at = 0; at < text.length; at += PIECE) queue.push((at + PIECE < text.length ? "+" : ".") + text.slice(at, at + PIECE));
    drain();
  };
  let begun = "";
  channel.onmessage = ({ data }) => {
    begun += String(data).slice(1);
    if (begun.length > LONGEST) return channel.close();
    if (!String(data).startsWith(".")) return;
    const text = begun;
    begun = "";
    try {
      ours.postMessage(JSON.parse(text));
    } catch {
      // What is no frame is dropped; whoever waits for it gives up in time.
    }
  };
  channel.onclose = () => ours.postMessage({ kind: "gone", from: "" });
  return theirs;
}

/** A connection in the making: it ends with its channel, or when it is given up. */
interface Making {
  close(): void;
}

/** Makes an offer; what `accept` gives is open. Routes are looked for until there are no more, or for so many milliseconds. */
export async function offerChannel(config?: RTCConfiguration, gather?: number): Promise<Making & { offer: string; accept(answer: string): Promise<RTCDataChannel> }> {
  const connection = new RTCPeerConnection(config);
  const channel = connection.createDataChannel("hublet");
  endTogether(connection, channel);
  await connection.setLocalDescription(await connection.createOffer());
  const offer = await described(connection, gather);
  return {
    offer,
    async accept(answer) {
      await connection.setRemoteDescription(JSON.parse(answer));
      return opened(channel);
    },
    close: () => hangUp(connection, channel),
  };
}

/** Answers an offer; the channel comes when the other side has the answer. */
export async function answerChannel(offer: string, config?: RTCConfiguration, gather?: number): Promise<Making & { answer: string; channel: Promise<RTCDataChannel> }> {
  const connection = new RTCPeerConnection(config);
  let theirs: RTCDataChannel | undefined;
  const channel = new Promise<RTCDataChannel>((resolve) => {
    connection.ondatachannel = ({ channel }) => {
      theirs = channel;
      endTogether(connection, channel);
      resolve(opened(channel));
    };
  });
  try {
    await connection.setRemoteDescription(JSON.parse(offer));
    await connection.setLocalDescription(await connection.createAnswer());
  } catch (error) {
    connection.close();
    throw error;
  }
  return { answer: await described(connection, gather), channel, close: () => hangUp(connection, theirs) };
}

/** A channel whose other end is away for good is told by its connection only. */
function endTogether(connection: RTCPeerConnection, channel: RTCDataChannel): void {
  channel.addEventListener("close", () => connection.close());
  connection.onconnectionstatechange = () => connection.connectionState === "failed" && hangUp(connection, channel);
}

/** Closing a connection does not tell its own channels. */
function hangUp(connection: RTCPeerConnection, channel?: RTCDataChannel): void {
  connection.close();
  channel?.dispatchEvent(new Event("close"));
}

/** The description with every way that was found in it, so that one text each way suffices. */
async function described(connection: RTCPeerConnection, gather?: number): Promise<string> {
  if (connection.iceGatheringState !== "complete") {
    await new Promise<void>((resolve) => {
      connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && resolve();
      if (gather !== undefined) setTimeout(resolve, gather);
    });
  }
  return JSON.stringify(connection.localDescription);
}

function opened(channel: RTCDataChannel): Promise<RTCDataChannel> {
  if (channel.readyState === "open") return Promise.resolve(channel);
  return new Promise((resolve) => (channel.onopen = () => resolve(channel)));
}
