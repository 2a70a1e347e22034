// An answer that is put together here and not by Deep Chat, and how it comes into Deep Chat: below the visitor's
// newest message, as Deep Chat's own streams would leave it there.

import { keepAtBottom } from "./controls.js";

/** The visitor's newest message and what follows it. */
export const newestOf = (chat) => {
  const messages = chat.getMessages();
  return messages.slice(messages.findLastIndex(({ role }) => role === "user"));
};

const isText = ({ role, text }) => role === "ai" && text;

/** Writes `text` into the bubble of the newest answer, or makes one. */
const write = (chat, text) => {
  const newest = newestOf(chat);
  const at = newest.findIndex(isText);
  if (at < 0) chat.addMessage({ role: "ai", text });
  else if (newest[at].text !== text) {
    keepAtBottom(chat, () => chat.updateMessage({ text }, chat.getMessages().length - newest.length + at));
  }
};

/** Writes `text` where there is only what said that an answer is on its way. */
export const settle = (chat, text) => {
  if (newestOf(chat).some(isText)) write(chat, text);
};

/** Puts those of the files below the newest answer that are not there yet. */
export const attach = (chat, files) => {
  const there = new Set(newestOf(chat).flatMap((message) => message.files ?? []).map(({ src }) => src));
  for (const file of files) if (!there.has(file.src)) chat.addMessage({ role: "ai", files: [file] });
};

/** What the events of a turn come to. Some of the answer may stand in the chat already: `shown` are the messages there. */
export class Answer {
  #partial;
  #begun = false;
  #text = "";
  #before = "";
  #files = [];
  error;

  constructor(shown) {
    this.#partial = shown.length > 0;
    this.#before = shown.find(isText)?.text ?? "";
  }

  /** Whether there is anything of the answer itself, and not only what the assistant is doing. */
  get begun() {
    return this.#partial || this.#begun;
  }

  /** What comes now is the answer from its beginning. */
  restart() {
    if (this.#begun && !this.#before.startsWith(this.#text)) this.#before = this.#text;
    this.#partial = this.begun;
    this.#begun = false;
    this.#text = "";
  }

  take({ text, overwrite, files, error, _sessionId }) {
    if (text) this.#text = overwrite ? text : this.#text + text;
    if (_sessionId) this.#begun = true;
    if (files) this.#files.push(...files);
    this.error ??= error;
  }

  /** What the server has kept as the answer takes the place of what came of it. */
  become({ text, files, error }) {
    if (text) {
      this.#text = text;
      this.#begun = true;
    }
    this.#files.push(...files);
    this.error ??= error;
  }

  /** Nothing more comes. `text` takes the place of what said that an answer is on its way. */
  settle(chat, text) {
    if (this.begun) return;
    settle(chat, text);
    this.#text &&= text;
  }

  draw(chat, { whole = false } = {}) {
    // What was shown already stays until there is more, or something else.
    const isBehind = !whole && this.#before.startsWith(this.#text);
    const text = this.#partial && (isBehind || !this.#begun) ? this.#before : this.#text;
    if (text) write(chat, text);
    attach(chat, this.#files);
  }
}
