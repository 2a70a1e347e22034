// The page: a header, the chat, and a line of status; this wires them.

import { startThread, stopTurn, UNREACHABLE } from "./api.js";
import { createChat } from "./chat.js";
import { draftOf, endStream, focusInput, isBusy, onStop } from "./controls.js";
import { setUpModes } from "./modes.js";
import * as status from "./status.js";
import * as transcript from "./transcript.js";

const place = document.getElementById("chat");
const newConversation = document.getElementById("new-conversation");

let chat;
let mode;
let begun = transcript.load().length > 0;
let answered = true;

// An answer that comes whole brings the cookie only when it ends, and without one the server could not tell
// whose turn is to be stopped, or where a page that was reloaded in between had been.
const begin = async () => {
  if (begun) return;
  await startThread();
  begun = true;
};

const handleRequest = () => {
  answered = false;
  if (mode === "stream") status.clear();
  else status.showWaiting();
  return begin();
};

const stop = async () => {
  status.clear();
  try {
    // A message that is still on its way has no turn yet that could be stopped.
    while (!(await stopTurn()) && isBusy(chat)) await new Promise((resolve) => setTimeout(resolve, 300));
  } catch (error) {
    status.showNotice(error.message);
  }
};

// The bubble says what the assistant is doing until its first text, which has the thread's id with it; an
// answer that is stopped or lost before must not go on saying so.
const settle = (text) => {
  if (answered) return;
  answered = true;
  const newest = chat.getMessages().length - 1;
  if (chat.getMessages()[newest]?.role === "ai") chat.updateMessage({ text }, newest);
};

const handleAnswer = (answer) => {
  if (answer?._sessionId) answered = true;
  if (answer?.status?.state ?? answer?.status?.text) status.showActivity(answer.status);
  else if (mode !== "stream") status.clear();
};

const handleMessage = ({ role }) => {
  if (role !== "user") {
    status.clear();
    settle("*Stopped.*");
  }
  transcript.save(chat.getMessages());
};

// What browsers call a request that never arrived, or an answer that was cut.
const NETWORK_ERROR = /failed to fetch|load failed|network ?error/i;

const handleError = (text) => {
  status.clear();
  endStream(chat);
  settle("*No answer.*");
  if (NETWORK_ERROR.test(text)) status.showNotice(UNREACHABLE);
};

const show = ({ focus = false, draft = "" } = {}) => {
  const made = createChat({
    mode,
    history: transcript.load(),
    draft,
    onRequest: handleRequest,
    onAnswer: (answer) => made === chat && handleAnswer(answer),
    onMessage: (message) => made === chat && handleMessage(message),
    onError: (text) => made === chat && handleError(text),
    onShown: () => focus && focusInput(made),
  });
  // A replaced element may still be reading its last answer: what it reports is no longer of interest.
  chat = made;
  onStop(chat, stop);
  place.replaceChildren(chat);
};

const startOver = async () => {
  newConversation.disabled = true;
  try {
    if (isBusy(chat)) await stopTurn();
    await startThread();
    begun = true;
    transcript.clear();
    status.clear();
    show({ focus: true });
  } catch (error) {
    status.showNotice(error.message);
  } finally {
    newConversation.disabled = false;
  }
};

mode = setUpModes({
  mayChange: () => {
    const free = !isBusy(chat);
    if (!free) status.showNotice("Please let the answer end, or stop it, before you switch.");
    return free;
  },
  onChange: (chosen) => {
    mode = chosen;
    transcript.save(chat.getMessages());
    show({ draft: draftOf(chat) });
  },
});
newConversation.addEventListener("click", startOver);
status.onStopWaiting(stop);
show({ focus: matchMedia("(hover: hover)").matches });
