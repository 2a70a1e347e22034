// Deep Chat's buttons, reached through its (open) shadow root: it has no events or labels for them.

const STOP = "#stop-icon";
const inputOf = (chat) => chat.shadowRoot.getElementById("input");

/** Whether an answer is awaited or being written. */
export const isBusy = (chat) => inputOf(chat)?.querySelector(`.loading-button, .input-button > ${STOP}`) != null;

const textInputOf = (chat) => chat.shadowRoot.getElementById("text-input");

/** Deep Chat's own focusInput only sets the selection, which does not always bring the focus with it. */
export const focusInput = (chat) => textInputOf(chat).focus();

/** What the visitor wrote and has not sent. */
export const draftOf = (chat) => textInputOf(chat).innerText.trim();

/**
 * Calls back whenever Deep Chat has made its view. Where the browser is busy it makes it twice, and its own
 * event reports only the first, which is gone then.
 */
export const onView = (chat, callback) =>
  new MutationObserver(callback).observe(chat.shadowRoot.getElementById("container"), { childList: true });

/**
 * Calls back when the Stop button is pressed. Deep Chat itself only drops its connection, which may as well
 * be a reload, and tells nobody. Capturing, so that the button is still what the visitor pressed.
 */
export const onStop = (chat, callback) => {
  const isStop = (event) =>
    event.composedPath().some((node) => node instanceof Element && node.matches(`.input-button:has(> ${STOP})`));
  const listen = (type, isPress) =>
    chat.shadowRoot.addEventListener(type, (event) => isPress(event) && isStop(event) && callback(), {
      capture: true,
    });
  listen("click", () => true);
  listen("keydown", (event) => event.key === "Enter");
};

/** Deep Chat takes the message of a stream that was cut for one that still goes on, and lets nobody change it. */
export const endStream = (chat) =>
  chat.shadowRoot.querySelector(".streamed-message")?.classList.remove("streamed-message");

/** Deep Chat keeps up with the text of its own streams only; somebody who scrolled back to read is left there. */
export const keepAtBottom = (chat, change) => {
  const messages = chat.shadowRoot.getElementById("messages");
  const below = messages.scrollHeight - messages.scrollTop - messages.clientHeight;
  change();
  if (below < 20) messages.scrollTop = messages.scrollHeight;
};

/** Deep Chat 2.4.2 has one text for all errors of its `history`: it reads later that it is to show theirs. */
export const showErrors = (chat, errors) => {
  const bubbles = chat.shadowRoot.querySelectorAll(".error-message");
  errors.forEach((error, at) => ((bubbles[at]?.querySelector("p") ?? bubbles[at]).textContent = error));
};

export const PLACEHOLDER = "Write a message";

/** Keeps the visitor from sending for now, and says so where they would write. */
export const hold = (chat) => {
  chat.disableSubmitButton();
  chat.setPlaceholderText("Wait for the answer");
};

/** Lets the visitor send again. */
export const release = (chat) => {
  chat.disableSubmitButton(false);
  chat.setPlaceholderText(PLACEHOLDER);
};

const LABELS = [
  [".dropup-button", "Attach images or files, or take a photo"],
  [".input-button.inside-end", "Send"],
  [".input-button.loading-button", "Waiting for the answer"],
  [`.input-button:has(> ${STOP})`, "Stop"],
  [".remove-file-attachment-button", "Remove this file"],
  [".modal-svg-close-button", "Close"],
  [".modal-svg-camera-button", "Take or retake the photo"],
  [".modal-svg-submit-button", "Use the photo"],
];

/** Gives the icon buttons names for screen readers, and keeps them right as the icons change. */
export const label = (chat) => {
  const view = chat.shadowRoot.getElementById("chat-view");
  const name = () => {
    for (const [selector, text] of LABELS) {
      for (const button of view.querySelectorAll(selector)) button.setAttribute("aria-label", text);
    }
  };
  // Attributes are not watched, so the one set here does not come back.
  new MutationObserver(name).observe(inputOf(chat), { childList: true, subtree: true });
  name();
  chat.shadowRoot.getElementById("messages").setAttribute("role", "log");
};
