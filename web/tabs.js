// What the tabs of one visitor tell each other: only that there is something to look up at the server, and no more.

const NAME = `deep-chat-proxy:${new URL(".", document.baseURI).pathname}`;
const channel = new BroadcastChannel(NAME);

/** Tells the other tabs that a message is on its way. */
export const tellSent = () => channel.postMessage("sent");

/** Tells the other tabs that a conversation has changed. */
export const tellChanged = () => channel.postMessage("changed");

/** Tells the other tabs that another conversation is the current one. */
export const tellSwitched = () => channel.postMessage("switched");

/** Calls back with each "sent", "changed" or "switched" of another tab. */
export const onTold = (callback) => channel.addEventListener("message", ({ data }) => callback(data));

/** Notes for this tab's next page that a message is on its way. */
export const noteSent = () => {
  try {
    sessionStorage.setItem(NAME, "sent");
  } catch {
    // Then only what has arrived by then is shown.
  }
};

/** Whether the page before this one has noted that; only once. */
export const wasSent = () => {
  try {
    const noted = sessionStorage.getItem(NAME);
    sessionStorage.removeItem(NAME);
    return noted !== null;
  } catch {
    return false;
  }
};
