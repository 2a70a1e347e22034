// Reads server-sent events off a response of fetch. The browser's own EventSource does not tell a status, the end
// of a stream and a broken connection from each other, and connects once more after all of them.

const linesOf = async function* (response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // A last \r may be half of \r\n.
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      yield lines;
    }
  } finally {
    // Whoever reads no further is to be seen as gone.
    await reader.cancel();
  }
};

/** The data of a response's events, in arrays of those that came at once. */
export const eventsOf = async function* (response) {
  const data = [];
  for await (const lines of linesOf(response)) {
    const events = [];
    for (const line of lines) {
      const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === "data") data.push(text);
      // Only a blank line says that an event came whole.
      else if (line === "") events.push(data.splice(0).join("\n"));
    }
    yield events.filter((event) => event !== "");
  }
};
