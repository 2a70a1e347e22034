// The line below the chat: what the assistant is doing just now, or why something did not work.

const line = document.getElementById("status");
const stopButton = document.getElementById("stop-waiting");

// Tools may run side by side; the newest that still runs is shown.
const running = new Map();

const show = (text, kind) => {
  line.textContent = text;
  line.dataset.kind = kind;
};

/** Handles one `status` of the server's events: `{state: "started" | "ended", tool, text}`. */
export const showActivity = ({ state, tool, text }) => {
  running.delete(tool);
  if (state === "started" && text) running.set(tool, text);
  const newest = [...running.values()].at(-1);
  newest ? show(newest, "busy") : clear();
};

/** Says that an answer is awaited, with a Stop button: outside of streams Deep Chat has none. */
export const showWaiting = () => {
  show("Waiting for the answer…", "busy");
  stopButton.hidden = false;
};

export const showNotice = (text) => show(text, "notice");

export const clear = () => {
  running.clear();
  show("", "idle");
  stopButton.hidden = true;
};

export const onStopWaiting = (callback) => stopButton.addEventListener("click", callback);
