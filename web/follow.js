// Follows the turn of a conversation, over as many connections as it takes.

import { resumeTurn } from "./api.js";
import { eventsOf } from "./sse.js";

// Between two tries to connect, in milliseconds; together they are about how long a turn goes on alone, and long
// enough for a server to be started anew.
const PAUSES = [300, 1000, 2000, 4000, 8000];
// What the server says where it leaves a turn to its next process.
export const RESTARTING = /server is restarting/i;

const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

/** Resolves to whether the stream was that of a turn that is `wanted`. */
const read = async (response, { wanted, onFound, onEvents }) => {
  let turn;
  let found = false;
  const held = [];
  const pass = async () => {
    if (!found) await onFound(turn);
    found = true;
    onEvents(held.splice(0));
  };
  for await (const batch of eventsOf(response)) {
    for (const event of batch.map((data) => JSON.parse(data))) {
      if (RESTARTING.test(event.error)) throw new Error(event.error);
      held.push(event);
      turn ??= event.turn_id;
    }
    if (!turn) continue;
    if (!found && !wanted(turn)) return false;
    await pass();
  }
  await pass();
  return true;
};

/**
 * Follows the newest turn of the conversation that `threadId()` names, and resolves to how that went: "ended",
 * "none" (there is none, or its id is not `wanted`), "lost" (the server cannot be reached), "aborted".
 *
 * `onFound` is awaited with each connection that is the turn's, with its id where that is known; then its events
 * come to `onEvents`, from its beginning: a server that was started anew has counted them anew, too. `onBreak` is
 * called when a connection is lost, or cannot be made.
 */
export const follow = async ({ threadId, wanted, signal, onFound, onEvents, onBreak }) => {
  let tries = 0;
  const counted = (events) => {
    tries = 0;
    onEvents(events);
  };
  for (;;) {
    try {
      const response = await resumeTurn(threadId(), signal);
      const isFound = response.status === 200 && (await read(response, { wanted, onFound, onEvents: counted }));
      return isFound ? "ended" : "none";
    } catch {
      if (signal.aborted) return "aborted";
      if (tries === PAUSES.length) return "lost";
      onBreak();
      await pause(PAUSES[tries++], signal).catch(() => {});
    }
  }
};
