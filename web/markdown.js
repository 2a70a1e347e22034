// Deep Chat's Markdown renderer, Remarkable, aligns table columns by style attributes, which the page's
// Content-Security-Policy does not allow. Its plug-ins may replace how a cell opens; markdown.css has the classes.

const opening = (tag) => (tokens, index) => {
  const { align } = tokens[index];
  return align ? `<${tag} class="align-${align}">` : `<${tag}>`;
};

const alignByClass = (markdown) => {
  markdown.renderer.rules.th_open = opening("th");
  markdown.renderer.rules.td_open = opening("td");
};

// Deep Chat reads this global when it is made.
window.remarkable_plugins = [{ plugin: alignByClass }];
