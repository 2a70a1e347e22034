// The shown messages, kept so that a reload or another mode shows them again. The server holds the
// conversation itself.
//
// Deep Chat's own browserStorage is not used: it lets the storage's quota error through, and with it the
// message that did not fit; one photo, kept as base64, is enough for that.

const KEY = `deep-chat-proxy:transcript:${new URL(".", document.baseURI).pathname}`;
const MOST = 200;

const plain = ({ role, text, files }) => ({
  role,
  ...(text && { text }),
  ...(files && { files: files.map(({ name, type, src }) => ({ name, type, src })) }),
});

// A file whose bytes are left out is shown as a chip with its name.
const withoutBytes = (message) => ({
  ...message,
  ...(message.files && {
    files: message.files.map((file) => (file.src?.startsWith("data:") ? { name: file.name, type: "any" } : file)),
  }),
});

/** Keeps Deep Chat's messages, without the bytes of files where all would be too much. */
export const save = (messages) => {
  const kept = messages.slice(-MOST).map(plain);
  for (const candidate of [kept, kept.map(withoutBytes)]) {
    try {
      return localStorage.setItem(KEY, JSON.stringify(candidate));
    } catch {
      // Too large, or no storage at all.
    }
  }
  clear();
};

/** The kept messages, oldest first; none where there are none to be read. */
export const load = () => {
  try {
    const messages = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(messages) ? messages.map(plain) : [];
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
