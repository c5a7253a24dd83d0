// Data channels, which workers do not have: the page pumps frames between one and a port whose other end the worker holds.

/** The most characters of one message: what every browser takes. */
const PIECE = 16_000;

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

/** Makes an offer; what `accept` gives is open. */
export async function offerChannel(config?: RTCConfiguration): Promise<{ offer: string; accept(answer: string): Promise<RTCDataChannel> }> {
  const connection = new RTCPeerConnection(config);
  const channel = connection.createDataChannel("hublet");
  await connection.setLocalDescription(await connection.createOffer());
  const offer = await described(connection);
  return {
    offer,
    async accept(answer) {
      await connection.setRemoteDescription(JSON.parse(answer));
      return opened(channel);
    },
  };
}

/** Answers an offer; the channel comes when the other side has the answer. */
export async function answerChannel(offer: string, config?: RTCConfiguration): Promise<{ answer: string; channel: Promise<RTCDataChannel> }> {
  const connection = new RTCPeerConnection(config);
  const channel = new Promise<RTCDataChannel>((resolve) => (connection.ondatachannel = ({ channel }) => resolve(opened(channel))));
  await connection.setRemoteDescription(JSON.parse(offer));
  await connection.setLocalDescription(await connection.createAnswer());
  return { answer: await described(connection), channel };
}

/** The description with every way that was found in it, so that one text each way suffices. */
async function described(connection: RTCPeerConnection): Promise<string> {
  if (connection.iceGatheringState !== "complete") {
    await new Promise<void>((resolve) => {
      connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && resolve();
    });
  }
  return JSON.stringify(connection.localDescription);
}

function opened(channel: RTCDataChannel): Promise<RTCDataChannel> {
  if (channel.readyState === "open") return Promise.resolve(channel);
  return new Promise((resolve) => (channel.onopen = () => resolve(channel)));
}
