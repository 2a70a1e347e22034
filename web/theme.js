// The theme: as the system unless the visitor chose. A classic script in <head>; see index.html.
{
  const KEY = "deep-chat-proxy:theme";
  const NAMES = { auto: "as the system", light: "light", dark: "dark" };

  // Storage throws where the browser keeps none for this site; a theme is not worth an error.
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const write = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      return;
    }
  };

  const saved = read();
  let theme = saved in NAMES ? saved : "auto";
  document.documentElement.dataset.theme = theme;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");

    const show = () => {
      document.documentElement.dataset.theme = theme;
      button.title = `Theme: ${NAMES[theme]}`;
      button.setAttribute("aria-label", button.title);
      button.querySelector("use").setAttribute("href", `#icon-${theme}`);
    };

    button.addEventListener("click", () => {
      const names = Object.keys(NAMES);
      theme = names[(names.indexOf(theme) + 1) % names.length];
      write(theme);
      show();
    });
    show();
  });
}
