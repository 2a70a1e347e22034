// Makes the Deep Chat element: what it may do, and how it looks.

import { connectFor } from "./modes.js";
import { label, onView, PLACEHOLDER, showErrors } from "./controls.js";
import { enlarge } from "./picture.js";
import "./markdown.js";
import "./vendor/deep-chat.js";

const MOST_FILES = 10;

// Deep Chat takes a style sheet for its shadow root as text, and puts it after its own.
const SHEETS = ["messages.css", "markdown.css", "composer.css"];
const textOf = async (name) => (await fetch(new URL(name, import.meta.url))).text();
const look = (await Promise.all(SHEETS.map(textOf))).join("\n");

const ARROW = `
  <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="currentColor"
    stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"><path d="M12 19V5M6 11l6-6 6 6"/></svg>`;

// Deep Chat reads these from the element itself, before its own style sheet: without a font family it
// fetches one from another origin.
const FRAME = {
  fontFamily: "var(--font)",
  fontSize: "1rem",
  width: "100%",
  height: "100%",
  backgroundColor: "transparent",
};

const inMenu = (label, files) => ({
  button: { position: "dropup-menu", styles: { text: { content: label } } },
  files,
});

/**
 * A new `<deep-chat>` for a mode, not in the document yet. `history` are messages to begin with, `loadOlder` brings
 * those before them, where there are any; `draft` is text already written. `onRequest` (awaited before each request; what it rejects with is shown instead of an
 * answer), `onAnswer` (with each body or event of the server; what it returns is shown), `onMessage` (with each complete message, the
 * visitor's own too) and `onError` (with its text) are called as things happen, `onShown` once it can be used.
 */
export const createChat = ({ mode, history, loadOlder, draft, onRequest, onAnswer, onMessage, onError, onShown }) => {
  const chat = document.createElement("deep-chat");
  Object.assign(chat.style, FRAME);
  Object.assign(chat, {
    connect: connectFor(mode),
    auxiliaryStyle: look,
    errorMessages: { displayServiceErrorMessages: true },
    images: inMenu("Images", { maxNumberOfFiles: MOST_FILES }),
    mixedFiles: inMenu("Files", { maxNumberOfFiles: MOST_FILES }),
    camera: inMenu("Camera"),
    dropupStyles: { button: { position: "inside-start" } },
    submitButtonStyles: { position: "inside-end", submit: { svg: { content: ARROW } } },
    textInput: { placeholder: { text: PLACEHOLDER } },
    requestInterceptor: async (request) => {
      try {
        await onRequest();
        return request;
      } catch (error) {
        return { error: error.message };
      }
    },
    responseInterceptor: onAnswer,
    onMessage: ({ message, isHistory }) => isHistory || onMessage(message),
    onError,
  });
  if (history.length > 0) chat.history = history;
  if (loadOlder) chat.loadHistory = loadOlder;
  if (draft) chat.defaultInput = { text: draft };
  enlarge(chat);
  onView(chat, () => {
    label(chat);
    showErrors(chat, history.flatMap(({ error }) => error ?? []));
    chat.classList.add("shown");
    onShown();
  });
  chat.append(document.getElementById("welcome").content.cloneNode(true));
  return chat;
};
