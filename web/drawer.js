// The list of conversations where there is no room beside the chat: a drawer over it.

const drawer = document.getElementById("threads");
const opener = document.getElementById("show-threads");
const closer = document.getElementById("hide-threads");
const backdrop = document.getElementById("backdrop");
const narrow = matchMedia("(max-width: 60rem)");

const behind = () => [...document.querySelectorAll("body > :is(header, main, footer)")];

const isOpen = () => drawer.classList.contains("open");

const set = (open) => {
  drawer.classList.toggle("open", open);
  backdrop.classList.toggle("open", open);
  opener.setAttribute("aria-expanded", open);
  for (const part of behind()) part.inert = open;
};

const open = () => {
  set(true);
  (drawer.querySelector("[aria-current]") ?? closer).focus();
};

/** Closes the drawer where it is open; the focus goes back to what opened it. */
export const closeDrawer = () => {
  if (!isOpen()) return;
  set(false);
  opener.focus();
};

opener.addEventListener("click", open);
closer.addEventListener("click", closeDrawer);
backdrop.addEventListener("click", closeDrawer);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) closeDrawer();
});
narrow.addEventListener("change", () => isOpen() && set(false));
