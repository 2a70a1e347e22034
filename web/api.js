// The server's calls besides the chat itself. The session cookie says which conversation is meant, where none is named.

// Relative to the document, since the whole app may stand under a prefix.
const address = (path) => new URL(path, document.baseURI).href;

export const CHAT = address("api/chat");

export const UNREACHABLE = "The server cannot be reached just now. Please check the connection and try again.";

const ask = async (method, path, { body, ...options } = {}) => {
  const answer = await fetch(address(path), {
    method,
    ...(body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    ...options,
  }).catch(() => {
    throw new Error(UNREACHABLE);
  });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(error ?? "The server could not do that. Please try again."), { status: answer.status });
};

const call = async (...request) => (await ask(...request)).json().catch(() => ({}));

const ofThread = (threadId) => `api/threads/${encodeURIComponent(threadId)}`;

// All of these reject with a text to show, and the status where there was one.

/** Stops the active turn; resolves to whether there was one. */
export const stopTurn = async () =>
  // A stop must arrive also when the page is being left.
  (await call("POST", "api/chat/stop", { body: {}, keepalive: true })).stopped === true;

/** Starts a new conversation, which the session cookie then names; resolves to its id. */
export const startThread = async () => (await call("POST", "api/threads", { body: {} })).thread_id;

/** Makes a conversation the one that the session cookie names. */
export const openThread = (threadId) => call("POST", ofThread(threadId), { body: {} });

export const renameThread = (threadId, title) => call("PATCH", ofThread(threadId), { body: { title } });

export const deleteThread = (threadId) => call("DELETE", ofThread(threadId));

/** Deletes everything that the server has of the visitor. */
export const deleteAll = () => call("DELETE", "api/session");

/** The conversations that have been used last: `{threads, more}`. */
export const listThreads = (page) => call("GET", `api/threads?page=${page}`);

const NEXT = /<([^>]*)>\s*;\s*rel="?next"?/;

/**
 * A page of the conversation's messages, the newest without a `query`: `{elements, next}`, oldest first, where `next`
 * is the query of the page before, if there is one.
 */
export const readHistory = async (query = "?page=0") => {
  const answer = await ask("GET", `api/history${query}`);
  const [, next] = NEXT.exec(answer.headers.get("Link") ?? "") ?? [];
  return {
    elements: (await answer.json()).filter((element) => element),
    next: next && new URL(next, answer.url).search,
  };
};

/**
 * The turn of a conversation that goes on or has just ended, as a response: a stream, or 204 where there is none.
 * Rejects where the server cannot be reached, or not yet again.
 */
export const resumeTurn = async (threadId, signal) => {
  const query = threadId ? `?thread_id=${encodeURIComponent(threadId)}` : "";
  const answer = await fetch(address(`api/chat/resume${query}`), { headers: { Accept: "text/event-stream" }, signal });
  if (answer.status >= 500) throw new Error(UNREACHABLE);
  return answer;
};
