// What Deep Chat reports of the answer that it gets: into the status line, and on to the page.

import { attach, newestOf, settle } from "./answer.js";
import { endStream } from "./controls.js";
import { RESTARTING } from "./follow.js";
import * as status from "./status.js";

// What browsers call a request that never arrived, or an answer that was cut.
const NETWORK_ERROR = /failed to fetch|load failed|network ?error/i;

/**
 * Listens to one chat, once `chat` is set. `onSent` is called with each message of the visitor, `onBegun` with the ids
 * of turn and thread once the server has taken it, `onBreak` when the connection was lost, `onEnd` when Deep Chat gets
 * no answer any more.
 */
export class Listener {
  #mode;
  #on;
  #open = false;
  #answered = true;
  #files = [];
  #left = false;
  chat;
  /** The server's id of the turn that answers the newest message, where known. */
  turn;

  constructor({ mode, ...on }) {
    this.#mode = mode;
    this.#on = on;
  }

  /** Whether Deep Chat gets an answer. */
  get isOpen() {
    return this.#open;
  }

  /** What is there of the newest answer, without what only said that one is on its way. */
  get answer() {
    return this.#answered ? newestOf(this.chat).filter(({ role }) => role !== "user") : [];
  }

  handleRequest() {
    this.#answered = false;
    if (this.#mode === "stream") status.clear();
    else status.showWaiting();
  }

  /** Takes in a body or event of the server, and returns what of it Deep Chat is to show now. */
  handleAnswer(answer) {
    if (this.#left || !this.#open) return answer;
    if (answer?.turn_id && !this.turn) {
      this.turn = answer.turn_id;
      this.#on.onBegun(answer.turn_id, answer.thread_id);
    }
    if (answer?._sessionId) this.#answered = true;
    if (answer?.status?.state ?? answer?.status?.text) status.showActivity(answer.status);
    else if (this.#mode !== "stream") status.clear();
    return this.#mode === "simulated" ? this.#withoutFiles(answer) : answer;
  }

  // Where it types an answer out, Deep Chat puts the files of it above its text.
  #withoutFiles(answer) {
    if (!answer?.files || !answer.text) return answer;
    const { files, ...rest } = answer;
    this.#files = files;
    return rest;
  }

  handleMessage({ role, text }) {
    if (this.#left) return;
    if (role === "user") {
      this.#open = true;
      this.turn = undefined;
      this.#on.onSent();
      // A file comes in the middle of a stream, its text is complete at the end.
    } else if (text && this.#open) this.#end("*Stopped.*");
  }

  handleError(text) {
    if (this.#left || !this.#open) return;
    endStream(this.chat);
    if (!NETWORK_ERROR.test(text) && !RESTARTING.test(text)) return this.#end("*No answer.*");
    this.#open = false;
    this.#on.onBreak();
  }

  // The bubble says what the assistant is doing until its first text, which has the thread's id with it; an
  // answer that is stopped or lost before must not go on saying so.
  #end(instead) {
    if (!this.#answered) settle(this.chat, instead);
    attach(this.chat, this.#files);
    this.#files = [];
    this.#open = false;
    this.#on.onEnd();
  }

  /** What a chat that is shown no more still reads is of no interest. */
  leave() {
    this.#left = true;
  }
}
