"""What the parts of a response's life share: its events, its pace, its items and its container."""

import asyncio
from typing import Any

from deep_chat_proxy.local_openai.brain.actions import MadeFile
from deep_chat_proxy.local_openai.containers import Container, ContainerFile
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.responses.kept import ResponseKept
from deep_chat_proxy.local_openai.responses.objects import Item
from deep_chat_proxy.local_openai.responses.shown import shown_item
from deep_chat_proxy.local_openai.responses.tools import AutoContainer, CodeTool
from deep_chat_proxy.local_openai.state import LocalState


class Stage:
    """The response while it is made."""

    def __init__(self, state: LocalState, kept: ResponseKept, *, obfuscated: bool) -> None:
        self.state = state
        self.kept = kept
        self.obfuscated = obfuscated
        self.pace = state.options.token_delay
        """Seconds between two pieces of text."""
        self.open_item: OpenItem | None = None
        self._published: dict[MadeFile, ContainerFile] = {}

    def emit(self, kind: str, **fields: Any) -> None:
        self.kept.emit(f"response.{kind}", fields)

    def emit_response(self, kind: str) -> None:
        """An event that shows the whole response."""
        self.emit(kind, response=self.kept.shown())

    async def beat(self) -> None:
        """The pause after a piece of text."""
        await asyncio.sleep(self.pace)

    def open(self, prefix: str, item: Item) -> "OpenItem":
        """A new item of the output; `prefix` is how its id begins."""
        self.open_item = OpenItem(self, {"id": new_id(prefix), **item})
        return self.open_item

    def container(self) -> Container:
        """That of the code interpreter: the one that the tool names, that of this response, or a new one."""
        kept = self.state.containers.get(self.kept.container_id or "")
        if kept is None:
            kept = self.state.containers.new()
            self._fill(kept)
            self.kept.container_id = kept.id
        return kept

    def _fill(self, container: Container) -> None:
        for tool in self.kept.response.tools:
            if isinstance(tool, CodeTool) and isinstance(tool.container, AutoContainer):
                for file_id in tool.container.file_ids:
                    if (kept := self.state.files.get(file_id)) is not None:
                        container.add(f"{file_id}-{kept.file.filename}", kept.data, source="user")

    def publish(self, made: MadeFile) -> ContainerFile:
        """A file that the assistant made, in the container; the same file only once."""
        if made not in self._published:
            self._published[made] = self.container().add(made.name, made.data, source="assistant")
        return self._published[made]


class OpenItem:
    """One item of the output, from `added` to `done`."""

    def __init__(self, stage: Stage, item: Item) -> None:
        self.item = item
        self._stage = stage
        output = stage.kept.response.output
        self._index = len(output)
        output.append(item)
        self._emit_item("added")

    def tell(self, kind: str, **fields: Any) -> None:
        """An event about this item."""
        self._stage.emit(kind, item_id=self.item["id"], output_index=self._index, **fields)

    def close(self, status: str = "completed") -> None:
        """The item is done."""
        self.mark(status)
        self._emit_item("done")
        self._stage.open_item = None

    def mark(self, status: str) -> None:
        """Items of some types have no status."""
        if "status" in self.item:
            self.item["status"] = status

    def _emit_item(self, kind: str) -> None:
        shown = shown_item(self.item, self._stage.kept.include)
        self._stage.emit(f"output_item.{kind}", output_index=self._index, item=shown)
