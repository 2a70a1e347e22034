// The conversation that is shown: its chat, and the answer that is under way in it.

import { startThread, stopTurn } from "./api.js";
import { createChat } from "./chat.js";
import { draftOf, focusInput, isBusy, onStop } from "./controls.js";
import { EMPTY, isShown, readNewest } from "./conversation.js";
import { Listener } from "./listener.js";
import { Resumption } from "./resume.js";
import * as status from "./status.js";
import * as tabs from "./tabs.js";

const place = document.getElementById("chat");

// How long a message of another tab, or from before a reload, may still be on its way, in milliseconds.
const YOUNG = 10_000;
const ASK_AGAIN = 1000;

let chat;
// Whether Deep Chat has made its view.
let ready = false;
let mode;
let onTurn;
// What is to be written in the chat that comes next, until it can be used.
let written = "";
// What the server had of the conversation when it was shown.
let conversation = EMPTY;
// What Deep Chat reports of the answer that it gets, and the answer that is got without it, if any.
let listener;
let resumption;
// Answers that go on in conversations that are not shown now.
const elsewhere = new Set();
// Whether the session cookie names this conversation.
let begun = false;
// Whether another tab has changed the conversation since it was shown, and until when more of that may come.
let behind = false;
let patience = 0;
// Whether the newest answer was stopped here, and the server has yet to say so.
let stopped = false;
let stopping = false;
// Of what is read from the server, only what was asked for last is shown.
let reads = 0;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const isResuming = () => resumption?.over === false;

/** Whether an answer is under way here. */
export const isAnswering = () => ready && (isBusy(chat) || listener.isOpen || isResuming());

/** What the visitor has written and not sent. */
export const draft = () => (ready ? draftOf(chat) : written);

export const threadId = () => conversation.threadId;

// An answer that comes whole brings the cookie only when it ends, and without one the server could not tell
// whose turn is to be stopped, or where a page that was reloaded in between had been.
const begin = async () => {
  if (begun) return;
  const started = await startThread();
  conversation = { ...conversation, threadId: started };
  begun = true;
};

/** Stops the answer that is under way. */
export const stop = async () => {
  const of = chat;
  [stopped, stopping] = [true, true];
  if (!isResuming()) status.showWaiting("Stopping…");
  try {
    let found = await stopTurn();
    // A message that is still on its way has no turn yet that could be stopped.
    while (!found && chat === of && isBusy(chat)) {
      await pause(300);
      found = await stopTurn();
    }
    if (!found) resumption?.stop();
  } catch (error) {
    stopped = false;
    status.clear();
    status.showNotice(error.message);
    resumption?.stop();
  }
  stopping = false;
  if (chat === of && !listener.isOpen && !isResuming()) settle();
};

// Deep Chat gets no answer any more. Of one that was stopped the server may have more than came, and says below it
// how it ended.
const settle = () => {
  if (stopping) return;
  const [answer, { turn }] = [listener.answer, listener];
  if (stopped && turn && answer.length > 0) return resume(new Resumption({ ...known(), answer, stopping: true }));
  if (stopped) status.clear();
  finish();
};

const note = (turn) => {
  if (turn) conversation = { ...conversation, turns: [...conversation.turns, turn] };
};

const finish = () => {
  onTurn();
  tabs.tellChanged();
  if (behind) catchUp();
};

const known = () => ({ turn: listener.turn, others: conversation.turns, threadId: conversation.threadId });

const resume = async (made) => {
  resumption = made;
  made.showIn(chat);
  // The error that Deep Chat shows is gone only with the chat.
  await made.run(async () => {
    const read = await readNewest();
    if (made === resumption) await display(read, { text: draft() });
  });
  elsewhere.delete(made);
  note(made.turn);
  if (made === resumption) finish();
  else onTurn();
};

const listen = () =>
  new Listener({
    mode,
    onSent: () => {
      stopped = false;
      tabs.tellSent();
    },
    onBegun: (turn, id) => {
      conversation = { ...conversation, threadId: id };
      onTurn();
      tabs.tellChanged();
    },
    onBreak: () => resume(new Resumption({ ...known(), answer: listener.answer, broken: true })),
    onEnd: () => {
      note(listener.turn);
      if (!stopped) status.clear();
      settle();
    },
  });

const hasFocus = () => chat !== undefined && chat === document.activeElement;

// Shows what was read in a new chat; resolves when that can be used.
const display = (read, { focus = hasFocus(), text = "" } = {}) =>
  new Promise((resolve) => {
    [conversation, written, ready] = [read, text, false];
    const listening = listen();
    const made = createChat({
      mode,
      history: resumption ? read.question : read.messages,
      loadOlder: read.loadOlder,
      draft: text,
      onRequest: () => {
        listening.handleRequest();
        return begin();
      },
      onAnswer: (answer) => listening.handleAnswer(answer),
      onMessage: (message) => listening.handleMessage(message),
      onError: (error) => listening.handleError(error),
      onShown: () => {
        if (made !== chat) return;
        ready = true;
        if (focus) focusInput(made);
        if (resumption) resumption.showIn(made);
        else if (read.isOpen) resume(new Resumption({ ...known(), turn: read.turns.at(-1) }));
        else if (behind) catchUp();
        resolve();
      },
    });
    listener?.leave();
    listening.chat = made;
    [chat, listener] = [made, listening];
    begun ||= read.messages.length > 0;
    onStop(chat, stop);
    // It is followed here now.
    for (const other of elsewhere) if (read.turns.includes(other.turn)) other.stop();
    place.replaceChildren(chat);
  });

// What goes on is left to itself, and found again where it is shown once more.
const leave = () => {
  listener?.leave();
  if (isResuming()) elsewhere.add(resumption);
  resumption?.leave();
  resumption = undefined;
  status.clear();
  [behind, stopped] = [false, false];
};

/** Shows an empty conversation: a new one that the session cookie names, or none yet. */
export const showEmpty = (id) => {
  reads += 1;
  leave();
  begun = id !== undefined;
  display({ ...EMPTY, threadId: id }, { focus: true });
};

/**
 * Shows the conversation that the session cookie names, as the server has it now, with `text` written and not sent;
 * nothing until that is known, since a message that is sent from the chat before would not be seen.
 */
export const show = async ({ focus = hasFocus(), text = "" } = {}) => {
  const number = ++reads;
  leave();
  [chat, written, begun, ready] = [undefined, text, false, false];
  place.replaceChildren();
  const read = await readNewest().catch(({ message }) => ({ ...EMPTY, messages: [{ error: message }] }));
  if (number === reads) display(read, { focus, text });
};

// Shows what the server has where that is something else, and as long as there is patience also what may yet come.
const catchUp = async () => {
  behind = false;
  const number = ++reads;
  for (;;) {
    const read = await readNewest().catch(() => undefined);
    if (number !== reads) return;
    if (!ready || isAnswering()) behind = true;
    else if (read && !isShown(chat, read.messages)) {
      patience = 0;
      leave();
      return display(read, { text: draft() });
    }
    if (behind || Date.now() > patience) return;
    await pause(ASK_AGAIN);
  }
};

/** Shows what another tab has made of the conversation: a message is on its way, or something has changed. */
export const follow = (told) => {
  if (told === "sent") patience = Date.now() + YOUNG;
  if (!ready || isAnswering()) behind = true;
  else catchUp();
};

/** Has answers arrive in another way from now on. */
export const changeMode = (chosen) => {
  mode = chosen;
  return show({ text: draft() });
};

/** Begins to show conversations; `onTurn` is called when an answer begins or ends. */
export const start = async (settings) => {
  ({ mode, onTurn } = settings);
  addEventListener("pagehide", () => {
    if (listener?.isOpen && !listener.turn) tabs.noteSent();
  });
  const isSent = tabs.wasSent();
  await show({ focus: matchMedia("(hover: hover)").matches });
  if (isSent) follow("sent");
};
