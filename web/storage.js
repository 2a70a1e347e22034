// Exchanges in the browser's storage, which all tabs share; see transcript.js.
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

/** Keeps exchanges, without the bytes of files where all would be too much, and at worst only the newest. */
export const write = (exchanges) => {
  const kept = exchanges.slice(-MOST);
  const smaller = kept.map(withoutBytes);
  for (const candidate of [kept, smaller, smaller.slice(-1)]) {
    try {
      return localStorage.setItem(KEY, JSON.stringify(candidate));
    } catch {
      // Too large, or no storage at all.
    }
  }
};

/** The kept exchanges, oldest first; none where there are none to be read. */
export const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]").filter((exchange) => Array.isArray(exchange?.messages));
  } catch {
    return [];
  }
};

export const clear = () => {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Nothing was kept either.
  }
};

/** Calls back when another tab wrote, with whether it cleared all. */
export const onForeignChange = (callback) =>
  addEventListener("storage", ({ key, newValue }) => {
    if (key === KEY || key === null) callback({ cleared: newValue === null });
  });
