// Goes on with an answer that Deep Chat does not get, or not any more: of a page that was reloaded, lost its
// connection, or is open in a second tab.

import { UNREACHABLE } from "./api.js";
import { Answer, newestOf } from "./answer.js";
import { hold, release } from "./controls.js";
import { follow } from "./follow.js";
import * as status from "./status.js";
import * as transcript from "./transcript.js";

const GOING_ON = "The answer goes on…";
const GONE = "The rest of the answer is lost.";
const LOST = "The connection was lost. Trying again…";

export class Resumption {
  #exchange;
  #broken;
  #answer;
  #chat;
  #controller = new AbortController();
  #left = false;
  over = false;

  /** `broken`: Deep Chat has just shown that the connection is lost. */
  constructor(exchange, { broken = false } = {}) {
    this.#exchange = exchange;
    this.#broken = broken;
    this.#answer = new Answer(exchange.messages.slice(1));
  }

  /** Shows the answer in this chat from now on, or once more in a chat that has made its view anew. */
  showIn(chat) {
    this.#chat = chat;
    if (!this.over) hold(chat);
    this.#answer.draw(chat);
  }

  /** Follows the answer to its end. A `broken` one awaits `onFound` before it draws the first of it. */
  async run(onFound) {
    const { id, at, turn } = this.#exchange;
    const others = transcript.all().map((one) => one.turn);
    status.showWaiting(this.#broken ? LOST : GOING_ON);
    const outcome = await follow({
      // A message that was refused just now is not on its way any more.
      sentAt: this.#broken ? 0 : at,
      wanted: (found) => (turn ? found === turn : !others.includes(found)),
      signal: this.#controller.signal,
      onFound: async (found) => {
        if (found) transcript.change(id, { turn: found });
        this.#answer.restart();
        status.showWaiting(GOING_ON);
        if (this.#broken) await onFound();
        this.#broken = false;
      },
      onEvents: (events) => this.#take(events),
      onBreak: () => status.showWaiting(LOST),
    });
    if (!this.#left) this.#end(outcome);
  }

  #take(events) {
    for (const event of events) {
      this.#answer.take(event);
      if (event.status) status.showActivity(event.status);
    }
    this.#answer.draw(this.#chat);
  }

  #end(outcome) {
    const chat = this.#chat;
    this.over = true;
    this.#answer.draw(chat, { whole: outcome === "ended" });
    status.clear();
    if (outcome !== "ended") this.#answer.settle(chat, outcome === "aborted" ? "*Stopped.*" : "*No answer.*");
    if (outcome === "lost" || (outcome === "none" && this.#broken)) {
      if (!this.#broken) chat.addMessage({ error: UNREACHABLE });
      status.showNotice(UNREACHABLE);
    } else if (outcome === "none") status.showNotice(GONE);
    else if (this.#answer.error) chat.addMessage({ error: this.#answer.error });
    transcript.change(this.#exchange.id, { open: outcome === "lost", messages: newestOf(chat) });
    release(chat);
  }

  /** Keeps as much of the answer as is there, for a page that does not find the rest of it. */
  keep() {
    if (!this.over && this.#answer.begun) transcript.change(this.#exchange.id, { messages: newestOf(this.#chat) });
  }

  /** Follows no further; what is there of the answer stays. */
  stop() {
    this.#controller.abort();
  }

  /** Follows no further, since something else is shown now. */
  leave() {
    this.#left = true;
    this.stop();
  }
}
