// The page: a header, the chat, and a line of status; this wires them.

import { startThread, stopTurn, UNREACHABLE } from "./api.js";
import { createChat } from "./chat.js";
import { draftOf, isBusy, onStop } from "./controls.js";
import { setUpModes } from "./modes.js";
import * as status from "./status.js";
import * as transcript from "./transcript.js";

const place = document.getElementById("chat");
const newConversation = document.getElementById("new-conversation");

let chat;
let mode;

const stop = async () => {
  status.clear();
  try {
    await stopTurn();
  } catch (error) {
    status.showNotice(error.message);
  }
};

const handleAnswer = (answer) => {
  if (answer?.status?.state ?? answer?.status?.text) status.showActivity(answer.status);
  else if (mode !== "stream") status.clear();
};

const handleMessage = ({ role }) => {
  if (role !== "user") status.clear();
  transcript.save(chat.getMessages());
};

// What browsers call a request that never arrived, or an answer that was cut.
const NETWORK_ERROR = /failed to fetch|load failed|network ?error/i;

const handleError = (text) => {
  status.clear();
  if (NETWORK_ERROR.test(text)) status.showNotice(UNREACHABLE);
};

const show = ({ focus = false, draft = "" } = {}) => {
  const made = createChat({
    mode,
    history: transcript.load(),
    draft,
    onRequest: () => (mode === "stream" ? status.clear() : status.showWaiting()),
    onAnswer: (answer) => made === chat && handleAnswer(answer),
    onMessage: (message) => made === chat && handleMessage(message),
    onError: (text) => made === chat && handleError(text),
    onShown: () => focus && made.focusInput(),
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
