// The dialog that asks before something is gone for good.

const dialog = document.getElementById("confirm");
const title = document.getElementById("confirm-title");
const text = document.getElementById("confirm-question");
const act = document.getElementById("confirm-act");
const not = document.getElementById("confirm-not");

act.addEventListener("click", () => dialog.close("act"));
not.addEventListener("click", () => dialog.close());
dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());

/**
 * Asks; resolves to whether the visitor said so, `act` being what they then say. The browser gives the focus back to
 * where it was.
 */
export const confirmed = (asked) =>
  new Promise((resolve) => {
    title.textContent = asked.title;
    text.textContent = asked.question;
    act.textContent = asked.act;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "act"), { once: true });
    dialog.showModal();
    not.focus();
  });
