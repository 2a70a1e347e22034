// The conversation in the browser's storage, which all tabs share: `{since, exchanges}`; see transcript.js.
//
// Deep Chat's own browserStorage is not used: it lets the storage's quota error through, and with it the
// message that did not fit; one photo, kept as base64, is enough for that.

const KEY = `deep-chat-proxy:transcript:${new URL(".", document.baseURI).pathname}`;
const MOST = 100;

// A file whose bytes are left out is shown as a chip with its name.
const withoutBytes = (exchange) => ({
  ...exchange,
  messages: exchange.messages.map((message) => ({
    ...message,
    ...(message.files && {
      files: message.files.map((file) => (file.src?.startsWith("data:") ? { name: file.name, type: "any" } : file)),
    }),
  })),
});

/** Keeps the exchanges, without the bytes of files where all would be too much, and at worst only the newest. */
export const write = ({ since, exchanges }) => {
  const kept = exchanges.slice(-MOST);
  const smaller = kept.map(withoutBytes);
  for (const candidate of [kept, smaller, smaller.slice(-1)]) {
    try {
      return localStorage.setItem(KEY, JSON.stringify({ since, exchanges: candidate }));
    } catch {
      // Too large, or no storage at all.
    }
  }
};

/** What is kept, the oldest exchange first; none where there are none to be read. */
export const read = () => {
  try {
    const { since, exchanges } = JSON.parse(localStorage.getItem(KEY));
    return { since, exchanges: exchanges.filter(({ messages }) => Array.isArray(messages)) };
  } catch {
    return { since: 0, exchanges: [] };
  }
};

/** Calls back when another tab has written. */
export const onForeignChange = (callback) =>
  addEventListener("storage", ({ key }) => {
    if (key === KEY || key === null) callback();
  });
