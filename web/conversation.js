// The conversation as the server has it: the newest messages, older ones page by page, and what is still to come.

import { readHistory } from "./api.js";
import { pictureOf } from "./picture.js";

// A text with files stands for several messages: streams report them one by one, whole answers all in one. A file
// whose bytes are not to be had is shown as a chip with its name.
const shownAs = ({ role, text, files = [], error }) => {
  if (error) return [{ error }];
  return [
    ...(text ? [{ role, text }] : []),
    ...files.map(({ src, name, type }) => ({ role, files: [src ? { src, name, type } : { name, type: "any" }] })),
  ];
};

// Deep Chat 2.4.2 loads older images without showing them, but it does show HTML.
const asOlder = (message) => {
  const [{ src, name, type } = {}] = message.files ?? [];
  return type === "image" ? { role: message.role, html: pictureOf(src, name) } : message;
};

/** What stands for a conversation of which the server has nothing. */
export const EMPTY = { messages: [], question: [], turns: [], isOpen: false };

/**
 * Reads the newest messages: `{messages, question, turns, threadId, isOpen, loadOlder}`. `messages` are as Deep Chat
 * takes them, `question` are those until the visitor's last one, `turns` the server's ids of their turns; `isOpen`
 * says that the last message is not answered yet. `loadOlder`, where there are older ones, is Deep Chat's `loadHistory`.
 */
export const readNewest = async () => {
  const { elements, next } = await readHistory().catch((error) => {
    // What the server has lost, a session may still name.
    if (error.status === 404) return { elements: [] };
    throw error;
  });
  const asked = elements.findLastIndex(({ role }) => role === "user") + 1;
  const question = elements.slice(0, asked).flatMap(shownAs);
  return {
    question,
    messages: [...question, ...elements.slice(asked).flatMap(shownAs)],
    turns: elements.flatMap(({ role, custom }) => (role === "user" && custom?.turn_id ? [custom.turn_id] : [])),
    threadId: elements.findLast(({ _sessionId }) => _sessionId)?._sessionId,
    isOpen: asked > 0 && asked === elements.length,
    loadOlder: next && olderFrom(next),
  };
};

// Where a page does not come, the visitor may scroll up once more; an error would be the end of it.
const olderFrom = (next) => async (index) => {
  // What is newest has been shown before this is asked for the first time.
  if (index === 0) return [false];
  try {
    const page = await readHistory(next);
    next = page.next;
    return [...page.elements.flatMap(shownAs).map(asOlder), ...(next ? [false] : [])];
  } catch {
    return [false];
  }
};

/** What the server has as the answer to a turn: `{text, files, error}`, or undefined where it has none (yet). */
export const readAnswer = async (threadId, turn) => {
  const query = threadId ? `?page=0&thread_id=${encodeURIComponent(threadId)}` : undefined;
  const { elements } = await readHistory(query);
  const asked = elements.findLastIndex(({ role, custom }) => role === "user" && (!turn || custom?.turn_id === turn));
  const rest = elements.slice(asked + 1);
  const end = rest.findIndex(({ role }) => role === "user");
  const answers = end < 0 ? rest : rest.slice(0, end);
  if (asked < 0 || answers.length === 0) return undefined;
  return Object.assign({ files: [] }, ...answers.map(({ text, files, error }) => ({
    ...(text && { text }),
    ...(files && { files }),
    ...(error && { error }),
  })));
};

const outline = (messages) =>
  messages
    .filter(({ error }) => !error)
    .flatMap(shownAs)
    .map(({ role, text, files }) => [role, text?.trim() ?? files[0].name]);

/** Whether these are the messages that end what is shown in the chat. */
export const isShown = (chat, messages) => {
  const wanted = outline(messages);
  const shown = outline(chat.getMessages());
  return JSON.stringify(shown.slice(-wanted.length || shown.length)) === JSON.stringify(wanted);
};
