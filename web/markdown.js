// What Deep Chat's Markdown renderer, Remarkable, is to write otherwise. Its plug-ins may replace how an element
// opens; markdown.css has the classes.

const opening = (tag) => (tokens, index) => {
  const { align } = tokens[index];
  return align ? `<${tag} class="align-${align}">` : `<${tag}>`;
};

// Columns are aligned by style attributes, which the page's Content-Security-Policy does not allow.
const alignByClass = ({ renderer: { rules } }) => {
  rules.th_open = opening("th");
  rules.td_open = opening("td");
};

const NUMBER = /^\[?\d{1,3}\]?$/;

const isNumber = (tokens, index) => tokens[index + 2]?.type === "link_close" && NUMBER.test(tokens[index + 1].content);

// The server ends an answer that cites something with a list below this line.
const isHead = (tokens, index) =>
  tokens[index]?.type === "paragraph_open" &&
  tokens[index + 1].content === "**Sources**" &&
  tokens[index + 3]?.type === "ordered_list_open";

const withClass = (open, name, isMeant) => (tokens, index, ...rest) => {
  const html = open(tokens, index, ...rest);
  return isMeant(tokens, index) ? html.replace(/^<\w+/, `$& class="${name}"`) : html;
};

const markSources = ({ renderer: { rules } }) => {
  rules.paragraph_open = withClass(rules.paragraph_open, "sources-head", isHead);
  rules.ordered_list_open = withClass(rules.ordered_list_open, "sources", (tokens, index) => isHead(tokens, index - 3));
  rules.link_open = withClass(rules.link_open, "source", isNumber);
};

// Deep Chat has links open in a new tab, which is not to reach back.
const openApart = ({ renderer: { rules } }) => {
  const open = rules.link_open;
  rules.link_open = (...link) => open(...link).replace(/^<a/, '$& rel="noopener noreferrer"');
};

// Deep Chat reads this global when it is made.
window.remarkable_plugins = [alignByClass, markSources, openApart].map((plugin) => ({ plugin }));
