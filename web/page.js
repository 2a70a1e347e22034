// The page: a header, the chat, and a line of status; this wires them.

import { startThread, stopTurn } from "./api.js";
import { createChat } from "./chat.js";
import { draftOf, focusInput, isBusy, onStop } from "./controls.js";
import { Listener } from "./listener.js";
import { setUpModes } from "./modes.js";
import { Resumption } from "./resume.js";
import * as status from "./status.js";
import * as transcript from "./transcript.js";

const place = document.getElementById("chat");
const newConversation = document.getElementById("new-conversation");

let chat;
let mode;
// What Deep Chat reports of the answer it gets, and the answer that is got without it, if any.
let listener;
let resumption;
// Whether the session cookie names this conversation.
let begun = false;
// Whether another tab has changed the conversation since it was shown.
let behind = false;

const isResuming = () => resumption?.over === false;

// An answer that comes whole brings the cookie only when it ends, and without one the server could not tell
// whose turn is to be stopped, or where a page that was reloaded in between had been.
const begin = async () => {
  if (begun) return;
  await startThread();
  begun = true;
};

const stop = async () => {
  if (!isResuming()) status.clear();
  try {
    let stopped = await stopTurn();
    // A message that is still on its way has no turn yet that could be stopped.
    while (!stopped && isBusy(chat)) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      stopped = await stopTurn();
    }
    if (!stopped) resumption?.stop();
  } catch (error) {
    status.showNotice(error.message);
    resumption?.stop();
  }
};

/** Shows the conversation in a new chat; resolves when that can be used. */
const show = ({ focus = chat !== undefined && chat === document.activeElement, draft = "" } = {}) =>
  new Promise((resolve) => {
    const listening = new Listener({
      mode,
      onBreak: (exchange) => resume(new Resumption(exchange, { broken: true })),
      onEnd: catchUp,
    });
    const made = createChat({
      mode,
      history: transcript.messages(),
      draft,
      onRequest: () => {
        listening.handleRequest();
        return begin();
      },
      onAnswer: (answer) => listening.handleAnswer(answer),
      onMessage: (message) => listening.handleMessage(message),
      onError: (text) => listening.handleError(text),
      onShown: () => {
        if (made !== chat) return;
        if (focus) focusInput(made);
        if (resumption) resumption.showIn(made);
        else if (transcript.newest()?.open) resume(new Resumption(transcript.newest()));
        resolve();
      },
    });
    listener?.leave();
    listening.chat = made;
    [chat, listener] = [made, listening];
    begun ||= transcript.newest() !== undefined;
    onStop(chat, stop);
    place.replaceChildren(chat);
  });

const showAnew = (shown) => {
  resumption?.leave();
  resumption = undefined;
  status.clear();
  behind = false;
  show(shown);
};

const resume = async (made) => {
  resumption = made;
  made.showIn(chat);
  // The error that Deep Chat shows is gone only with the chat.
  await made.run(() => show({ draft: draftOf(chat) }));
  if (made === resumption) catchUp();
};

const catchUp = () => {
  if (behind && transcript.refresh()) showAnew({ draft: draftOf(chat) });
  behind = false;
};

const startOver = async () => {
  newConversation.disabled = true;
  try {
    if (isBusy(chat) || isResuming()) await stopTurn();
    await startThread();
    begun = true;
    transcript.clear();
    showAnew({ focus: true });
  } catch (error) {
    status.showNotice(error.message);
  } finally {
    newConversation.disabled = false;
  }
};

mode = setUpModes({
  mayChange: () => {
    const free = !isBusy(chat) && !isResuming();
    if (!free) status.showNotice("Please let the answer end, or stop it, before you switch.");
    return free;
  },
  onChange: (chosen) => {
    mode = chosen;
    showAnew({ draft: draftOf(chat) });
  },
});
newConversation.addEventListener("click", startOver);
status.onStopWaiting(stop);
transcript.onForeignChange(() => {
  behind = true;
  // Whatever goes on here in a conversation that is over is of no interest.
  if (transcript.isOver() || !(listener.isOpen || isResuming())) catchUp();
});
addEventListener("pagehide", () => {
  listener.keep();
  resumption?.keep();
});
show({ focus: matchMedia("(hover: hover)").matches });
