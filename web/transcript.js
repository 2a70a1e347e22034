// The conversation as this tab shows it, kept so that a reload, another mode or another tab shows it again. The
// server holds the conversation itself.
//
// It is a row of exchanges: `{id, at, turn, open, messages}`, where `messages` are one of the visitor's, sent at the
// time `at`, and what answers it; `turn` is the server's id of that, where known; `open` says that the answer is
// not there, or not whole. Tabs write at the same time, so each changes only the exchange that it has to do with,
// and of two conversations the one that began later, at the time `since`, stays.

import * as storage from "./storage.js";

let { since, exchanges: shown } = storage.read();

// A text with files stands for several messages: streams report them one by one, whole answers all in one.
const plain = ({ role, text, files = [] }) => {
  const kept = files.map(({ name, type, src }) => ({ name, type, src }));
  if (role === "user") return [{ role, ...(text && { text }), ...(files.length > 0 && { files: kept }) }];
  return [...(text ? [{ role, text }] : []), ...kept.map((file) => ({ role, files: [file] }))];
};

const isAnswered = ({ open, messages }) => !open && messages.length > 1;

const replaced = (exchanges, changed) => exchanges.map((one) => (one.id === changed.id ? changed : one));

// A tab that did not know yet that its conversation was over may have written it once more.
const isStale = (kept) => kept.since < since;

/** The exchanges that are shown, oldest first. */
export const all = () => shown;

export const newest = () => shown.at(-1);

/** The messages of all exchanges, as Deep Chat takes them. */
export const messages = () => shown.flatMap((exchange) => exchange.messages);

/** Opens an exchange with the visitor's message, and returns it. */
export const begin = (message) => {
  const id = Date.now().toString(36) + Math.random().toString(36).slice(2);
  const exchange = { id, at: Date.now(), open: true, messages: plain(message) };
  const kept = storage.read();
  const now = isStale(kept) ? { since, exchanges: shown } : kept;
  storage.write({ ...now, exchanges: [...now.exchanges, exchange] });
  shown = [...shown, exchange];
  return exchange;
};

/** Changes an exchange, unless another tab has its whole answer, or has cleared it away. */
export const change = (id, { messages, ...changes }) => {
  const before = shown.find((one) => one.id === id);
  if (!before) return;
  const exchange = { ...before, ...changes, ...(messages && { messages: messages.flatMap(plain) }) };
  shown = replaced(shown, exchange);
  const kept = storage.read();
  if (kept.since === since && kept.exchanges.some((one) => one.id === id && !isAnswered(one))) {
    storage.write({ since, exchanges: replaced(kept.exchanges, exchange) });
  }
};

/** Begins a new conversation. */
export const clear = () => {
  since = Math.max(Date.now(), since + 1);
  shown = [];
  storage.write({ since, exchanges: shown });
};

/** Whether another tab has begun a new conversation. */
export const isOver = () => storage.read().since > since;

const outline = (exchanges) =>
  JSON.stringify(exchanges.map(({ id, messages }) => [id, messages.map(({ text }) => text?.length ?? 0)]));

/** Takes over what other tabs have made of the conversation; returns whether that is anything new. */
export const refresh = () => {
  const kept = storage.read();
  if (isStale(kept)) {
    storage.write({ since, exchanges: shown });
    return false;
  }
  if (kept.since === since && outline(kept.exchanges) === outline(shown)) return false;
  ({ since, exchanges: shown } = kept);
  return true;
};

export { onForeignChange } from "./storage.js";
