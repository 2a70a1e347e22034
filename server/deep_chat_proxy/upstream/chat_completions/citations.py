"""The sources of a completion: its annotations, and the lists of pages that some servers send beside the answer.

Perplexity and xAI list `citations` and mark them in the text by their numbers, `[1]`, or xAI as `[[1]](address)`;
Perplexity tells the titles in `search_results`. With a stream both come again and again.
"""

import re
from collections import Counter
from collections.abc import Iterator

from deep_chat_proxy.turn.events import Cited
from deep_chat_proxy.upstream.chat_completions.wire import Annotation, Completion, UrlCitation
from deep_chat_proxy.upstream.citations import NOWHERE, enough_for, host_of, place_of_span

# Sources of one turn, and of one list.
_MOST_CITED = 1_000
_MOST_LISTED = 100
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
# A number that is no part of a link or of the definition of one.
_MARK = re.compile(
    r"\[\[(?P<linked>\d{1,3})\]\]\([^()\s]{1,2000}\)|(?<![\[!\]])\[(?P<bare>\d{1,3})\](?![(:\]])"
    r"|(?<=\d\])\[(?P<next>\d{1,3})\](?![(:\]])"
)


class Citations:
    """Those of one turn, each told once."""

    def __init__(self) -> None:
        self._told: set[Cited] = set()
        self._waiting: list[UrlCitation] = []
        self._enough = 0.0
        self._length = 0
        self._pages: list[str] = []
        self._titles: dict[str, str] = {}

    def begin(self) -> None:
        """The next completion begins."""
        self._waiting, self._pages, self._titles = [], [], {}
        self._enough, self._length = 0.0, 0

    def add(self, annotation: Annotation) -> None:
        """An annotation of the text that is there, or will be."""
        citation = annotation.url_citation
        if citation is not None and citation.url and len(self._waiting) < _MOST_CITED:
            self._waiting.append(citation)
            self._enough = 0.0

    def listed(self, completion: Completion) -> None:
        """What a completion or chunk lists beside its text."""
        if isinstance(completion.citations, list):
            self._pages = [_url_of(page) for page in completion.citations[:_MOST_LISTED]]
        if isinstance(completion.search_results, list):
            results = [page for page in completion.search_results[:_MOST_LISTED] if isinstance(page, dict)]
            self._titles |= {
                _url_of(page): title for page in results if isinstance(title := page.get("title"), str)
            }
            self._pages = self._pages or [_url_of(page) for page in results]

    def due(self, more: int) -> bool:
        """Whether something can be told, now that the text has so many characters `more`."""
        self._length += more
        return bool(self._waiting) and self._length >= self._enough

    def told(self, text: str, *, whole: bool = False) -> Iterator[Cited]:
        """What can be told of the text so far; all of it where that is `whole`."""
        waiting, self._waiting, self._enough = self._waiting, [], float("inf")
        for citation in waiting:
            url = citation.url or ""
            place = place_of_span(text, citation.start_index, citation.end_index, url, whole=whole)
            if place is not None:
                yield from self._once(
                    Cited(citation.title or host_of(url), url, "", place.marker, place.after)
                )
                continue
            self._waiting.append(citation)
            self._enough = min(self._enough, enough_for(citation.end_index, len(text)))
        if whole:
            yield from self._of_the_list(text)

    def _of_the_list(self, text: str) -> Iterator[Cited]:
        """The pages that are marked in the text; all of them, without a place, where none is."""
        marks = _marks(text) if self._pages else {}
        places = [(marks[number], page) for number, page in enumerate(self._pages, 1) if number in marks]
        annotated = {cited.url for cited in self._told}
        for marker, page in places or [
            (NOWHERE.marker, page) for page in self._pages if page not in annotated
        ]:
            if page:
                yield from self._once(Cited(self._titles.get(page) or host_of(page), page, marker=marker))

    def _once(self, cited: Cited) -> Iterator[Cited]:
        if cited not in self._told and len(self._told) < _MOST_CITED:
            self._told.add(cited)
            yield cited


def _url_of(page: object) -> str:
    url = page.get("url") if isinstance(page, dict) else page
    return url if isinstance(url, str) else ""


def _marks(text: str) -> dict[int, str]:
    """What marks the pages of a list in a text, by their numbers: nothing that also stands in its code, or in a link."""
    times: Counter[str] = Counter()
    first: dict[int, str] = {}
    for mark in _MARK.finditer(_CODE.sub(" ", text)):
        times[mark[0]] += 1
        first.setdefault(int(mark["linked"] or mark["bare"] or mark["next"]), mark[0])
    return {
        number: mark
        for number, mark in first.items()
        if number <= _MOST_LISTED and text.count(mark) == times[mark]
    }
