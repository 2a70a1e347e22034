// How answers arrive: the visitor's choice, and what Deep Chat is told for it.

import { CHAT } from "./api.js";

const KEY = "deep-chat-proxy:mode";

const STREAM = {
  stream: true,
  simulated: { simulation: true },
  json: undefined,
};

/** Deep Chat's `connect` for a mode. */
export const connectFor = (mode) => ({
  url: CHAT,
  ...(STREAM[mode] && { stream: STREAM[mode] }),
});

const radios = () => [...document.querySelectorAll("#modes input")];

const select = (mode) => {
  for (const radio of radios()) radio.checked = radio.value === mode;
};

const saved = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};

const save = (mode) => {
  try {
    localStorage.setItem(KEY, mode);
  } catch {
    // The choice then lasts as long as the page.
  }
};

/**
 * Shows the saved mode and returns it. `mayChange` is asked at each switch, which is undone where it says
 * no; `onChange` gets the new mode.
 */
export const setUpModes = ({ mayChange, onChange }) => {
  const remembered = saved();
  let mode = remembered in STREAM ? remembered : "stream";
  select(mode);
  for (const radio of radios()) {
    radio.addEventListener("change", () => {
      if (!mayChange()) return select(mode);
      mode = radio.value;
      save(mode);
      onChange(mode);
    });
  }
  return mode;
};
