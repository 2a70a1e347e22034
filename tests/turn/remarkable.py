"""The renderer that Deep Chat uses, set up as it sets it up: which links and pictures come of a text."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "web/node_modules/remarkable"

_PROGRAM = """
const { Remarkable } = require(process.argv[1]);
const markdown = new Remarkable({ html: false, breaks: true, linkTarget: '_blank', typographer: true });
markdown.inline.validateLink = () => true;
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const html = markdown.render(JSON.parse(line));
  const targets = [...html.matchAll(/<(?:a href|img src)="([^"]*)"/g)].map((found) => found[1]);
  const code = [...html.matchAll(/<code[^>]*>([^]*?)<\\/code>/g)].map((found) => found[1]);
  const pictures = html.includes('<img');
  process.stdout.write(JSON.stringify({ targets, pictures, code }) + '\\n');
});
"""


class Remarkable:
    """Renders texts, one after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def render(self, texts: Sequence[str]) -> list[dict[str, object]]:
        """For each text its `targets`, whether there are `pictures`, and what is in `code`, as HTML."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(json.dumps(text) + "\n" for text in texts))
        self._process.stdin.flush()
        return [json.loads(self._process.stdout.readline()) for _ in texts]


@contextmanager
def rendering(node: str) -> Iterator[Remarkable]:
    command = [node, "-e", _PROGRAM, str(PACKAGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - a fixed program
        yield Remarkable(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(5)
