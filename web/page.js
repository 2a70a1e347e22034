// The page: a header, the conversations, the one that is shown, and a line of status; this wires them.

import { deleteAll, deleteThread, openThread, startThread, stopTurn } from "./api.js";
import { confirmed } from "./confirm.js";
import { closeDrawer } from "./drawer.js";
import { setUpModes } from "./modes.js";
import * as shown from "./shown.js";
import * as status from "./status.js";
import * as tabs from "./tabs.js";
import { setUpThreads } from "./threads.js";

const newConversation = document.getElementById("new-conversation");

// What is written in each conversation and not sent.
const drafts = new Map();

// One after the other, or what is shown would not be what was asked for last.
let changed = Promise.resolve();

/** Does what another conversation is to come of, and says so where it cannot be done. */
const change = (act) => {
  changed = changed.then(act).catch((error) => status.showNotice(error.message));
  return changed.then(threads.refresh);
};

const showOther = (id) => {
  tabs.tellSwitched();
  return shown.showEmpty(id);
};

const startOver = () =>
  change(async () => {
    if (shown.isAnswering()) await stopTurn();
    await showOther(await startThread());
  });

const open = (id) =>
  change(async () => {
    drafts.set(shown.threadId(), shown.draft());
    await openThread(id);
    tabs.tellSwitched();
    // A keyboard that comes up by itself would cover what is to be read.
    await shown.show({ focus: matchMedia("(hover: hover)").matches, text: drafts.get(id) });
  });

const threads = setUpThreads({
  onOpen: open,
  onRename: tabs.tellChanged,
  onDelete: async ({ id, title, current }) => {
    const question = `“${title}” and its files will be gone for good.`;
    if (!(await confirmed({ title: "Delete this conversation?", question, act: "Delete" }))) return;
    await change(async () => {
      await deleteThread(id);
      if (current) await showOther();
      else tabs.tellChanged();
    });
  },
  onDeleteAll: async () => {
    const question = "All your conversations and their files will be gone for good.";
    if (!(await confirmed({ title: "Delete all your data?", question, act: "Delete all" }))) return;
    await change(async () => {
      await deleteAll();
      drafts.clear();
      closeDrawer();
      await showOther();
    });
  },
});

const mode = setUpModes({
  mayChange: () => {
    const free = !shown.isAnswering();
    if (!free) status.showNotice("Please let the answer end, or stop it, before you switch.");
    return free;
  },
  onChange: shown.changeMode,
});

newConversation.addEventListener("click", async () => {
  newConversation.disabled = true;
  await startOver();
  newConversation.disabled = false;
});
status.onStopWaiting(shown.stop);
tabs.onTold((told) => {
  threads.refresh();
  if (told === "switched") shown.show({ text: shown.draft() });
  else shown.follow(told);
});
threads.refresh();
shown.start({ mode, onTurn: threads.refresh });
