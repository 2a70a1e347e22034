// What Deep Chat reports of the answer that it gets: into the transcript and the status line.

import { newestOf, settle } from "./answer.js";
import { endStream } from "./controls.js";
import { RESTARTING } from "./follow.js";
import * as status from "./status.js";
import * as transcript from "./transcript.js";

// What browsers call a request that never arrived, or an answer that was cut.
const NETWORK_ERROR = /failed to fetch|load failed|network ?error/i;

/**
 * Listens to one chat, once `chat` is set. `onBreak` is called with the exchange whose connection was lost, `onEnd`
 * when Deep Chat gets no answer any more.
 */
export class Listener {
  #mode;
  #onBreak;
  #onEnd;
  #exchange;
  #answered = true;
  #left = false;
  chat;

  constructor({ mode, onBreak, onEnd }) {
    this.#mode = mode;
    this.#onBreak = onBreak;
    this.#onEnd = onEnd;
  }

  /** Whether Deep Chat gets an answer. */
  get isOpen() {
    return this.#exchange !== undefined;
  }

  handleRequest() {
    this.#answered = false;
    if (this.#mode === "stream") status.clear();
    else status.showWaiting();
  }

  handleAnswer(answer) {
    if (this.#left || !this.#exchange) return;
    if (answer?.turn_id) transcript.change(this.#exchange.id, { turn: answer.turn_id });
    if (answer?._sessionId) this.#answered = true;
    if (answer?.status?.state ?? answer?.status?.text) status.showActivity(answer.status);
    else if (this.#mode !== "stream") status.clear();
  }

  handleMessage({ role, text }) {
    if (this.#left) return;
    if (role === "user") this.#exchange = transcript.begin(newestOf(this.chat)[0]);
    // A file comes in the middle of a stream, its text is complete at the end.
    else if (text && this.#exchange) this.#end("*Stopped.*");
  }

  handleError(text) {
    if (this.#left || !this.#exchange) return;
    endStream(this.chat);
    if (!NETWORK_ERROR.test(text) && !RESTARTING.test(text)) return this.#end("*No answer.*");
    this.keep();
    const exchange = transcript.newest();
    this.#exchange = undefined;
    this.#onBreak(exchange);
  }

  // The bubble says what the assistant is doing until its first text, which has the thread's id with it; an
  // answer that is stopped or lost before must not go on saying so.
  #end(instead) {
    if (!this.#answered) settle(this.chat, instead);
    status.clear();
    transcript.change(this.#exchange.id, { open: false, messages: newestOf(this.chat) });
    this.#exchange = undefined;
    this.#onEnd();
  }

  /** Keeps as much of the answer as is there, for a page that does not find the rest of it. */
  keep() {
    if (!this.#exchange || !this.#answered || this.#mode !== "stream") return;
    transcript.change(this.#exchange.id, { messages: newestOf(this.chat) });
  }

  /** What a chat that is shown no more still reads is of no interest. */
  leave() {
    this.#left = true;
  }
}
