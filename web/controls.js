// Deep Chat's buttons, reached through its (open) shadow root: it has no events or labels for them.

const STOP = "#stop-icon";

const NAMES = {
  "#dropup-icon": "Attach a photo or a file",
  "#submit-icon": "Send",
  ".loading-submit-button": "Waiting for the answer",
  [STOP]: "Stop",
};

const inputOf = (chat) => chat.shadowRoot.getElementById("input");

/** Whether an answer is awaited or being written. */
export const isBusy = (chat) => inputOf(chat)?.querySelector(`.loading-button, .input-button > ${STOP}`) != null;

/**
 * Calls back when the Stop button is pressed. Deep Chat itself only drops its connection, which may as well
 * be a reload, and tells nobody. Capturing, so that the button is still what the visitor pressed.
 */
export const onStop = (chat, callback) => {
  const isStop = (event) =>
    event.composedPath().some((node) => node.classList?.contains("input-button") && node.querySelector(`:scope > ${STOP}`));
  chat.shadowRoot.addEventListener("click", (event) => isStop(event) && callback(), { capture: true });
  chat.shadowRoot.addEventListener("keydown", (event) => event.key === "Enter" && isStop(event) && callback(), {
    capture: true,
  });
};

/** Gives the icon buttons names for screen readers and keeps them right as the icons change. */
export const nameButtons = (chat) => {
  const input = inputOf(chat);
  const name = () => {
    for (const [icon, label] of Object.entries(NAMES)) {
      input.querySelector(`.input-button > ${icon}`)?.parentElement.setAttribute("aria-label", label);
    }
  };
  // Only children are watched, so the attribute set here does not come back.
  new MutationObserver(name).observe(input, { childList: true, subtree: true });
  name();
};
