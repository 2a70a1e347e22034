// One conversation in the list: its title and when it was used, and how it is renamed in its place.

const template = document.getElementById("thread");

const DAY = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);

const when = (time) => {
  const days = Math.round((midnight(Date.now()) - midnight(time)) / DAY);
  if (days <= 0) return clock.format(time);
  if (days === 1) return relative.format(-1, "day");
  return (days < 300 ? day : date).format(time);
};

/**
 * An item of the list; `onOpen`, `onRename` (with the new title, awaited) and `onDelete` are called as the visitor
 * asks for it. `element` is what stands in the list.
 */
export class ThreadItem {
  #on;
  #title;
  #field;
  element = template.content.cloneNode(true).firstElementChild;

  constructor(on) {
    this.#on = on;
    this.#part(".thread-open").addEventListener("click", on.onOpen);
    this.#act("rename").addEventListener("click", () => this.#edit());
    this.#act("delete").addEventListener("click", on.onDelete);
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }

  #act(name) {
    return this.#part(`[data-act="${name}"]`);
  }

  get isEdited() {
    return this.#field !== undefined;
  }

  /** Shows what the server says of it now. */
  show({ title, used_at: usedAt, current, answering }) {
    this.#title = title;
    this.#part(".thread-title").textContent = title;
    const time = this.#part("time");
    time.dateTime = new Date(usedAt * 1000).toISOString();
    time.title = new Date(usedAt * 1000).toLocaleString();
    time.textContent = when(usedAt * 1000);
    this.#part(".thread-answering").hidden = !answering;
    time.hidden = answering;
    const open = this.#part(".thread-open");
    if (current) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
    for (const [name, word] of [["rename", "Rename"], ["delete", "Delete"]]) {
      this.#act(name).setAttribute("aria-label", `${word} “${title}”`);
      this.#act(name).title = word;
    }
  }

  #edit() {
    if (this.#field) return;
    const field = document.createElement("input");
    Object.assign(field, { className: "thread-field", value: this.#title, maxLength: 200, dir: "auto", enterKeyHint: "done" });
    field.setAttribute("aria-label", "Title of the conversation");
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      // An Enter that ends a composition is not for the title, nor an Escape here for the drawer.
      if (event.isComposing) return;
      event.preventDefault();
      this.#leave(event.key === "Enter", { focus: true });
    });
    field.addEventListener("blur", () => this.#leave(true));
    this.#field = field;
    this.element.classList.add("edited");
    this.element.prepend(field);
    field.select();
  }

  #leave(keep, { focus = false } = {}) {
    const field = this.#field;
    if (!field) return;
    this.#field = undefined;
    const title = field.value.trim();
    this.element.classList.remove("edited");
    field.remove();
    if (focus) this.#act("rename").focus();
    if (keep && title && title !== this.#title) this.#on.onRename(title);
  }
}
