"""Steps in which tools are used: the built-in ones, and functions, whose outputs come from outside."""

from typing import Any

from deep_chat_proxy.local_openai.assistants.objects import RunError, RunStep
from deep_chat_proxy.local_openai.assistants.stage import Ending, Stage
from deep_chat_proxy.local_openai.brain.actions import RunCode, SearchFiles
from deep_chat_proxy.local_openai.brain.conversation import Answered, Call
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.ids import new_id


class ToolStep:
    """One step of type `tool_calls`, open until all its calls have been answered."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._calls: list[dict[str, Any]] = []
        self._step: RunStep = stage.open_step("tool_calls", self._calls)

    async def search(self, action: SearchFiles) -> None:
        """A file search, from its beginning to its end. Raises RunStops."""
        call_id = self._begin("file_search", {})
        results = [
            {
                "file_id": hit.file_id,
                "file_name": hit.name,
                "score": 0.9,
                "content": [{"type": "text", "text": hit.text}],
            }
            for hit in action.hits
        ]
        ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
        self._calls[0] = {
            "id": call_id,
            "type": "file_search",
            "file_search": {"ranking_options": ranking, "results": results},
        }
        await self._stage.pause(self._stage.pace)
        self._stage.close_step(self._step)

    async def run_code(self, action: RunCode) -> None:
        """A use of the code interpreter, from its beginning to its end. Raises RunStops."""
        self._begin("code_interpreter", {"input": "", "outputs": []})
        interpreter = self._calls[0]["code_interpreter"]
        for piece in pieces(action.code):
            interpreter["input"] += piece
            self._more("code_interpreter", {"input": piece})
            await self._stage.pause(self._stage.pace)
        outputs: list[dict[str, Any]] = []
        if action.logs:
            outputs.append({"type": "logs", "logs": action.logs})
        if action.image is not None:
            outputs.append({"type": "image", "image": {"file_id": self._stage.publish(action.image)}})
        for index, output in enumerate(outputs):
            interpreter["outputs"].append(output)
            self._more("code_interpreter", {"outputs": [{"index": index, **output}]})
        self._stage.close_step(self._step)

    async def call(self, calls: tuple[Call, ...]) -> list[dict[str, Any]]:
        """Writes out the calls and gives them back as `required_action` names them. Raises RunStops."""
        required = []
        for call in calls:
            call_id = self._begin("function", {"name": call.name, "arguments": "", "output": None})
            for piece in pieces(call.arguments):
                self._calls[-1]["function"]["arguments"] += piece
                self._more("function", {"arguments": piece})
                await self._stage.pause(self._stage.pace)
            function = {"name": call.name, "arguments": call.arguments}
            required.append({"id": call_id, "type": "function", "function": function})
        return required

    def answer(self, calls: tuple[Call, ...], outputs: dict[str, str]) -> tuple[Answered, ...]:
        """The outputs by call id have come: ends the step, and gives back what is now known."""
        for call in self._calls:
            call["function"]["output"] = outputs[call["id"]]
        self._stage.close_step(self._step)
        return tuple(
            Answered(call, outputs[made["id"]]) for call, made in zip(calls, self._calls, strict=True)
        )

    def stop(self, ending: Ending, error: RunError | None = None) -> None:
        """The run ends while the step is open."""
        if self._step.status == "in_progress":
            self._stage.close_step(self._step, ending.step, error)

    def _begin(self, kind: str, content: dict[str, Any]) -> str:
        call = {"id": new_id("call_"), "type": kind, kind: content}
        self._calls.append(call)
        self._stage.emit_delta(self._step, {"index": len(self._calls) - 1, **call})
        return str(call["id"])

    def _more(self, kind: str, content: dict[str, Any]) -> None:
        self._stage.emit_delta(self._step, {"index": len(self._calls) - 1, "type": kind, kind: content})
