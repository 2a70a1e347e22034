// The line below the chat: what the assistant is doing just now, or why something did not work.

const line = document.getElementById("status");
const stopButton = document.getElementById("stop-waiting");

// Tools may run side by side, the same one too; the newest that still runs is shown.
let running = [];

// What stands here between tools, while an answer is awaited.
let waiting = "";

const show = (text, kind) => {
  line.textContent = text;
  line.dataset.kind = kind;
};

/**
 * Handles one `status` of the server's events: `{state: "started" | "ended", tool, text}` for a tool, `{text}`
 * for anything else.
 */
export const showActivity = ({ state, tool, text }) => {
  if (!state) return show(text, "busy");
  if (state === "started") running.push({ tool, text });
  else {
    const ended = running.findIndex((run) => run.tool === tool);
    if (ended >= 0) running.splice(ended, 1);
  }
  const doing = running.at(-1)?.text ?? waiting;
  show(doing, doing ? "busy" : "idle");
};

/** Says that an answer is awaited, with a Stop button: outside of its own streams Deep Chat has none. */
export const showWaiting = (text = "Waiting for the answer…") => {
  running = [];
  waiting = text;
  show(text, "busy");
  stopButton.hidden = false;
};

export const showNotice = (text) => show(text, "notice");

export const clear = () => {
  running = [];
  waiting = "";
  show("", "idle");
  stopButton.hidden = true;
};

export const onStopWaiting = (callback) => stopButton.addEventListener("click", callback);
