"""A thread and a run, as the brain sees them."""

from collections.abc import Iterable, Mapping

from deep_chat_proxy.local_openai.assistants.kept import RunKept
from deep_chat_proxy.local_openai.assistants.objects import (
    CodeTool,
    FunctionTool,
    ImageFilePart,
    Message,
    Run,
    SearchTool,
    TextPart,
)
from deep_chat_proxy.local_openai.brain.conversation import Attachment, Conversation, Function, Said, Use
from deep_chat_proxy.local_openai.objects import KeptFile

Files = Mapping[str, KeptFile]
TOOL_NAMES = {SearchTool: "file_search", CodeTool: "code_interpreter"}


def conversation(
    messages: Iterable[Message], kept: RunKept, files: Files, *, tried_before: bool = False
) -> Conversation:
    """What the brain needs to go on with a run."""
    run = kept.run
    may_use_tools = run.tool_choice != "none"
    functions = tuple(
        Function(tool.function.name, tool.function.parameters or {})
        for tool in run.tools
        if isinstance(tool, FunctionTool) and may_use_tools
    )
    return Conversation(
        messages=tuple(_said(message, files) for message in messages if message.content),
        rounds=tuple(kept.rounds),
        functions=functions,
        built_in=frozenset(
            TOOL_NAMES[type(tool)] for tool in run.tools if type(tool) in TOOL_NAMES and may_use_tools
        ),
        instructions=run.instructions,
        parallel=run.parallel_tool_calls,
        forced=_forced(run, functions),
        tried_before=tried_before,
    )


def _forced(run: Run, functions: tuple[Function, ...]) -> str | None:
    choice = run.tool_choice
    if choice == "required" and functions:
        return functions[0].name
    if isinstance(choice, dict) and choice.get("function"):
        return str(choice["function"]["name"])
    return None


def _said(message: Message, files: Files) -> Said:
    texts = [part.text.value for part in message.content if isinstance(part, TextPart)]
    wanted = [(attachment.file_id, _use(attachment.tools)) for attachment in message.attachments]
    wanted += [
        (part.image_file.file_id, Use.IMAGE) for part in message.content if isinstance(part, ImageFilePart)
    ]
    found = tuple(
        Attachment(file_id, files[file_id].file.filename, files[file_id].data, use)
        for file_id, use in wanted
        if file_id in files and message.role == "user"
    )
    return Said(by_user=message.role == "user", text="\n".join(texts), files=found)


def _use(tools: Iterable[object]) -> Use:
    names = {getattr(tool, "type", None) for tool in tools}
    return Use.CODE if "code_interpreter" in names and "file_search" not in names else Use.SEARCH
