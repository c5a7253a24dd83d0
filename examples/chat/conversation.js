// The conversation itself: a public room, a private one by invite, and a participant that loses its memory and gets it back.

/**
 * @typedef {import("./hub.js").Hub} Hub
 * @typedef {import("./speaker.js").Speaker} Speaker
 */

/**
 * @typedef {object} Rooms
 * @property {string} lobby
 * @property {string} den
 */

/**
 * @param {{ hub: Hub, ann: Speaker, bob: Speaker, title: (text: string) => void }} scene
 * @returns {Promise<Rooms>}
 */
export async function converse({ hub, ann, bob, title }) {
  const hal = `@hal:${hub.name}`;
  /** @type {(roomId: string, body: string) => Promise<string>} */
  const halSays = (roomId, body) => hub.send(roomId, { sender: hal, type: "m.room.message", content: { msgtype: "m.text", body } });
  /** @type {(speaker: Speaker, roomId: string, body: string, ...hearers: Speaker[]) => Promise<unknown>} */
  const says = async (speaker, roomId, body, ...hearers) => {
    await speaker.type(`say ${roomId} ${body}`);
    await Promise.all([speaker, ...hearers].map((hearer) => hearer.hears(roomId, body)));
  };

  title("Hal, a user of the hub, makes a public room. Ann joins it.");
  const lobby = await hub.createRoom({ creator: hal, public: true, name: "Lobby" });
  await halSays(lobby, "The lobby is open.");
  await ann.start();
  await ann.type(`join ${lobby} ${hub.name}`);
  await ann.hears(lobby, "The lobby is open.");
  await halSays(lobby, "Good morning, Ann.");
  await ann.hears(lobby, "Good morning, Ann.");
  await says(ann, lobby, "Good morning, Hal. Is there a quieter place?");

  title("Hal makes a private room and invites Ann, and Ann invites Bob.");
  await bob.start();
  const den = await hub.createRoom({ creator: hal, public: false, name: "Den" });
  await hub.send(den, { sender: hal, type: "m.room.member", state_key: ann.user, content: { membership: "invite" } });
  await ann.until("invited", "Hal's invite", ({ roomId }) => roomId === den);
  await ann.type(`join ${den}`);
  await says(ann, den, "Much better. I ask Bob to come too.");
  await ann.type(`invite ${den} ${bob.user}`);
  await bob.until("invited", "Ann's invite", ({ roomId }) => roomId === den);
  await bob.type(`join ${den}`);
  await bob.hears(den, "Much better. I ask Bob to come too.");
  await says(bob, den, "Hello Ann, hello Hal!", ann);
  await halSays(den, "Welcome, Bob.");
  await Promise.all([ann.hears(den, "Welcome, Bob."), bob.hears(den, "Welcome, Bob.")]);

  title("Bob's process ends. Its log was in memory, only the key is left. The others go on.");
  const end = await bob.stop();
  if (end !== "exit status 0") throw new Error(`bob did not end well: ${end}`);
  const missed = ["Bob? Are you there?", "He will read it when he is back."];
  for (const body of missed) await says(ann, den, body);
  await halSays(den, "So he will.");
  await ann.hears(den, "So he will.");

  title("Bob starts again: the same key, an empty log. He rejoins by himself and gets back what he had and what he missed.");
  await bob.start();
  await bob.until("rejoining", "to rejoin", ({ roomId }) => roomId === den);
  await bob.until("healed", "to get the room's history", ({ roomId }) => roomId === den);
  for (const body of ["Welcome, Bob.", ...missed, "So he will."]) {
    const { isHistory } = await bob.hears(den, body);
    if (!isHistory) throw new Error(`bob did not get "${body}" as history`);
  }
  await says(bob, den, "I am back, and have read all of it.", ann);
  return { lobby, den };
}
