// The list of the visitor's conversations, as the server has them.

import { listThreads, renameThread } from "./api.js";
import { closeDrawer } from "./drawer.js";
import * as status from "./status.js";
import { ThreadItem } from "./thread-item.js";

const list = document.getElementById("thread-list");
const none = document.getElementById("no-threads");
const older = document.getElementById("more-threads");
const all = document.getElementById("delete-all");

// An answer that goes on in a conversation that is not shown ends without a word here.
const LOOK_AGAIN = 4000;

// As many pages as have been asked for, each of them read anew, since conversations move from one to another.
const read = async (pages) => {
  const found = new Map();
  for (let page = 0; page < pages; page += 1) {
    const { threads, more } = await listThreads(page);
    for (const thread of threads) found.set(thread.thread_id, thread);
    if (!more) return { threads: [...found.values()], more };
  }
  return { threads: [...found.values()], more: true };
};

class ThreadList {
  #on;
  #items = new Map();
  #threads = new Map();
  #pages = 1;
  #reads = 0;
  #timer;

  constructor(on) {
    this.#on = on;
    all.addEventListener("click", on.onDeleteAll);
    older.addEventListener("click", async () => {
      const before = list.childElementCount;
      this.#pages += 1;
      await this.refresh();
      list.children[before]?.querySelector("button").focus();
    });
  }

  /** Shows the list as the server has it now; where that cannot be reached, it stays as it is. */
  async refresh() {
    const number = ++this.#reads;
    clearTimeout(this.#timer);
    const found = await read(this.#pages).catch(() => undefined);
    if (!found || number !== this.#reads) return;
    this.#show(found);
    const goesOn = found.threads.some(({ answering }) => answering);
    if (goesOn) this.#timer = setTimeout(() => this.refresh(), LOOK_AGAIN);
  }

  #show({ threads, more }) {
    this.#threads = new Map(threads.map((thread) => [thread.thread_id, thread]));
    for (const [id, item] of this.#items) {
      if (this.#threads.has(id)) continue;
      item.element.remove();
      this.#items.delete(id);
    }
    for (const [id, thread] of this.#threads) this.#itemOf(id).show(thread);
    this.#order();
    none.hidden = threads.length > 0;
    older.hidden = !more;
  }

  #itemOf(id) {
    const known = this.#items.get(id);
    if (known) return known;
    const item = new ThreadItem({
      onOpen: () => this.#open(id),
      onRename: (title) => this.#rename(id, title),
      onDelete: () => this.#delete(id),
    });
    this.#items.set(id, item);
    return item;
  }

  // An element that is moved loses the focus, and a title that is being written would be left.
  #order() {
    const wanted = [...this.#threads.keys()].map((id) => this.#items.get(id).element);
    if (wanted.every((element, at) => element === list.children[at])) return;
    if ([...this.#items.values()].some(({ isEdited }) => isEdited)) {
      return list.prepend(...wanted.filter((element) => !element.isConnected));
    }
    const focused = document.activeElement;
    list.replaceChildren(...wanted);
    if (list.contains(focused)) focused.focus({ preventScroll: true });
  }

  #open(id) {
    closeDrawer();
    if (!this.#threads.get(id).current) this.#on.onOpen(id);
  }

  async #rename(id, title) {
    const thread = { ...this.#threads.get(id), title };
    this.#items.get(id).show(thread);
    try {
      await renameThread(id, title);
      this.#on.onRename();
    } catch (error) {
      status.showNotice(error.message);
    }
    await this.refresh();
  }

  async #delete(id) {
    const { title, current } = this.#threads.get(id);
    const at = [...this.#threads.keys()].indexOf(id);
    await this.#on.onDelete({ id, title, current });
    // What had the focus is gone with its item.
    if (document.activeElement !== document.body) return;
    const next = list.children[Math.min(at, list.childElementCount - 1)];
    next?.querySelector("button").focus();
  }
}

/**
 * Sets the list up. `onOpen` is called with the id of the conversation that is to be shown, `onRename` after one was
 * renamed, `onDelete` with the `{id, title, current}` of one that is to be deleted (awaited), `onDeleteAll` where all
 * are.
 */
export const setUpThreads = (on) => {
  const threads = new ThreadList(on);
  return { refresh: () => threads.refresh() };
};
