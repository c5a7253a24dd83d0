// What pages do in the tests of several files; each page has its `server`, its `room` and, where it listens to that, its `traffic`.

/** Says something, and answers over what it went to the hub. */
export const sends = (tab, body) =>
  tab.evaluate(async (body) => {
    traffic.length = 0;
    await room.sendMessage(body);
    for (let turn = 0; turn < 300; turn++) {
      const sent = traffic.find(({ direction, status, target }) => direction === "out" && status === 200 && target.includes("/send/"));
      if (sent) return sent.link;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never left: ${body}`);
  }, body);

/** Takes the room over as soon as its user has been given the power to. */
export const takesHub = (tab) =>
  tab.evaluate(async () => {
    for (let turn = 0; turn < 100; turn++) {
      const me = (await room.members()).find(({ user }) => user === server.user);
      if (me.powerLevel === 100) return room.takeHub();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("was given no power");
  });
