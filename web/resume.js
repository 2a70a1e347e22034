// Goes on with an answer that Deep Chat does not get, or not any more: of a page that was reloaded, lost its
// connection, is open in a second tab, or shows another conversation meanwhile.

import { UNREACHABLE } from "./api.js";
import { Answer } from "./answer.js";
import { hold, release } from "./controls.js";
import { readAnswer } from "./conversation.js";
import { follow } from "./follow.js";
import * as status from "./status.js";

const GOING_ON = "The answer goes on…";
const STOPPING = "Stopping…";
const GONE = "The rest of the answer is lost.";
const LOST = "The connection was lost. Trying again…";

export class Resumption {
  #turn;
  #others;
  #threadId;
  #broken;
  #stopping;
  #answer;
  #chat;
  #controller = new AbortController();
  #left = false;
  over = false;

  /**
   * Of the answer of `turn`, or of one that is none of the `others`, in `threadId`, as far as the two are known.
   * `answer` are its messages that are there; `broken`: Deep Chat has just shown that the connection is lost;
   * `stopping`: it has just been stopped.
   */
  constructor({ turn, others = [], threadId, answer = [], broken = false, stopping = false }) {
    this.#turn = turn;
    this.#others = others;
    this.#threadId = threadId;
    this.#broken = broken;
    this.#stopping = stopping;
    this.#answer = new Answer(answer);
  }

  get turn() {
    return this.#turn;
  }

  /** Shows the answer in this chat from now on, or once more in a chat that has made its view anew. */
  showIn(chat) {
    this.#chat = chat;
    if (!this.over) hold(chat);
    this.#answer.draw(chat);
  }

  /** Follows the answer to its end. A `broken` one awaits `onFound` before it draws the first of it. */
  async run(onFound) {
    this.#say(this.#broken ? LOST : GOING_ON);
    const outcome = await follow({
      threadId: () => this.#threadId,
      wanted: (found) => (this.#turn ? found === this.#turn : !this.#others.includes(found)),
      signal: this.#controller.signal,
      onFound: async (found) => {
        this.#turn ??= found;
        this.#answer.restart();
        this.#say(GOING_ON);
        if (this.#broken) await onFound();
        this.#broken = false;
      },
      onEvents: (events) => this.#take(events),
      onBreak: () => this.#say(LOST),
    });
    if (!this.#left) await this.#end(outcome);
  }

  #say(text) {
    if (!this.#left) status.showWaiting(this.#stopping ? STOPPING : text);
  }

  #take(events) {
    for (const event of events) {
      this.#threadId ??= event.thread_id;
      if (this.#left) continue;
      this.#answer.take(event);
      if (event.status) status.showActivity(event.status);
    }
    if (!this.#left) this.#answer.draw(this.#chat);
  }

  async #end(outcome) {
    // The server may have more to say of how it ended than came with it, and keeps what a stop cut off here.
    const kept = outcome === "lost" ? undefined : await this.#read();
    if (this.#left) return;
    const chat = this.#chat;
    this.over = true;
    if (kept) this.#answer.become(kept);
    this.#answer.draw(chat, { whole: outcome === "ended" || kept !== undefined });
    status.clear();
    if (outcome !== "ended") this.#answer.settle(chat, outcome === "aborted" ? "*Stopped.*" : "*No answer.*");
    this.#report(outcome, kept);
    release(chat);
  }

  #read() {
    return this.#turn ? readAnswer(this.#threadId, this.#turn).catch(() => undefined) : undefined;
  }

  #report(outcome, kept) {
    if (outcome === "lost" || (outcome === "none" && this.#broken)) {
      if (!this.#broken) this.#chat.addMessage({ error: UNREACHABLE });
      status.showNotice(UNREACHABLE);
    } else if (this.#answer.error) this.#chat.addMessage({ error: this.#answer.error });
    else if (outcome === "none" && !kept && !this.#stopping) status.showNotice(GONE);
  }

  /** Follows no further; what is there of the answer stays. */
  stop() {
    this.#controller.abort();
  }

  /**
   * Shows nothing more, since something else is shown now. It follows all the same, so that the answer goes on, until
   * it is stopped.
   */
  leave() {
    this.#left = true;
  }
}
