// The server's calls besides the chat itself. The session cookie says which conversation is meant.

// Relative to the document, since the whole app may stand under a prefix.
const address = (path) => new URL(path, document.baseURI).href;

export const CHAT = address("api/chat");

export const UNREACHABLE = "The server cannot be reached just now. Please check the connection and try again.";

const post = async (path) => {
  const answer = await fetch(address(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
    // A stop must arrive also when the page is being left.
    keepalive: true,
  }).catch(() => {
    throw new Error(UNREACHABLE);
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? "The server could not do that. Please try again.");
  return body;
};

/** Stops the visitor's active turn; resolves to whether there was one. Rejects with a text to show. */
export const stopTurn = async () => (await post("api/chat/stop")).stopped === true;

/**
 * The visitor's turn that goes on or has just ended, as a response: a stream, or 204 where there is none. Rejects
 * where the server cannot be reached, or not yet again.
 */
export const resumeTurn = async (signal) => {
  const answer = await fetch(address("api/chat/resume"), { headers: { Accept: "text/event-stream" }, signal });
  if (answer.status >= 500) throw new Error(UNREACHABLE);
  return answer;
};

/** Starts a new conversation, which the session cookie then names. Rejects with a text to show. */
export const startThread = () => post("api/threads");
