"""The messages of a request: checked, and as the brain sees them."""

from collections.abc import Iterable

from deep_chat_proxy.local_openai import data_urls, strict_schema
from deep_chat_proxy.local_openai.brain import sniff
from deep_chat_proxy.local_openai.brain.conversation import (
    Answered,
    Attachment,
    Call,
    Conversation,
    Function,
    Said,
    Use,
)
from deep_chat_proxy.local_openai.brain.inlined import with_documents
from deep_chat_proxy.local_openai.chat.requests import (
    AssistantMessage,
    AudioIn,
    CreateCompletion,
    DeveloperMessage,
    FileIn,
    ImageIn,
    Message,
    RefusalIn,
    SystemMessage,
    TextIn,
    Tool,
    ToolChoice,
    ToolMessage,
    UserMessage,
    UserPart,
)
from deep_chat_proxy.local_openai.errors import ApiError, invalid_value, missing, not_found
from deep_chat_proxy.local_openai.state import LocalState

Parts = Iterable[TextIn | RefusalIn | ImageIn | AudioIn | FileIn]


def check(state: LocalState, asked: CreateCompletion) -> None:
    """Raises ApiError: 400 for what does not fit together, 404 for a file that is not there."""
    if asked.n is not None and asked.n != 1:
        raise invalid_value("n", "only one completion choice is allowed.")
    if asked.stream_options is not None and not asked.stream:
        raise invalid_value("stream_options", "it is only allowed when 'stream' is enabled.")
    if not asked.messages:
        raise ApiError(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array "
            "instead.",
            param="messages",
            code="empty_array",
        )
    _check_tools(asked)
    _check_answers(asked.messages)
    for index, message in enumerate(asked.messages):
        if isinstance(message, UserMessage) and not isinstance(message.content, str):
            for place, part in enumerate(message.content):
                _check_part(state, part, f"messages[{index}].content[{place}]")


def _check_tools(asked: CreateCompletion) -> None:
    tools: list[Tool] = asked.tools or []
    for index, tool in enumerate(tools):
        if tool.function.strict:
            param = f"tools[{index}].function.parameters"
            strict_schema.check(tool.function.name, tool.function.parameters, param)
    choice = asked.tool_choice
    if choice is not None and not tools:
        raise invalid_value("tool_choice", "it is only allowed when 'tools' are specified.")
    if isinstance(choice, ToolChoice):
        name = choice.function.name
        if all(tool.function.name != name for tool in tools):
            raise invalid_value("tool_choice", f"no function named '{name}' was specified in 'tools'.")


def _check_answers(messages: list[Message]) -> None:
    """After calls come the messages that answer all of them, and no others."""
    waiting: dict[str, None] = {}
    for index, message in enumerate(messages):
        param = f"messages.[{index}].role"
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in waiting:
                raise ApiError(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
                    "with 'tool_calls'.",
                    param=param,
                )
            waiting.pop(message.tool_call_id)
        elif waiting:
            raise _unanswered(waiting, param)
        elif isinstance(message, AssistantMessage):
            waiting = {call.id: None for call in message.tool_calls or ()}
    if waiting:
        raise _unanswered(waiting, f"messages.[{len(messages) - 1}].role")


def _unanswered(waiting: Iterable[str], param: str) -> ApiError:
    return ApiError(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}",
        param=param,
    )


def _check_part(state: LocalState, part: UserPart, param: str) -> None:
    match part:
        case ImageIn(image) if not image.url.startswith(("https://", "http://")):
            if sniff.picture(data_urls.decode(image.url) or b"") is None:
                raise invalid_value(f"{param}.image_url.url", "expected a valid URL of a picture.")
        case AudioIn(audio) if sniff.sound(data_urls.unpacked(audio.data) or b"") != audio.format.upper():
            raise invalid_value(
                f"{param}.input_audio.data", "expected a base64-encoded recording of its format."
            )
        case FileIn(file) if file.file_id is not None:
            if file.file_id not in state.files:
                raise not_found("file", file.file_id)
        case FileIn(file):
            if file.file_data is None:
                raise missing(f"{param}.file.file_id")
            if data_urls.decode(file.file_data) is None:
                raise invalid_value(f"{param}.file.file_data", "expected a base64-encoded data URL.")


def conversation(state: LocalState, asked: CreateCompletion) -> Conversation:
    """What the brain needs to answer; the messages have been checked."""
    functions = tuple(
        Function(tool.function.name, tool.function.parameters or {})
        for tool in asked.tools or ()
        if asked.tool_choice != "none"
    )
    return Conversation(
        messages=tuple(said for message in asked.messages if (said := _said(state, message)) is not None),
        rounds=_rounds(asked.messages),
        functions=functions,
        built_in=frozenset({"web_search"} if asked.web_search_options is not None else ()),
        instructions=" ".join(
            _text(message.content)
            for message in asked.messages
            if isinstance(message, SystemMessage | DeveloperMessage)
        ),
        parallel=asked.parallel_tool_calls is not False,
        forced=_forced(asked, functions),
    )


def _said(state: LocalState, message: Message) -> Said | None:
    if isinstance(message, UserMessage):
        said = Said(by_user=True, text=_text(message.content), files=_files(state, message.content))
        return with_documents(said)
    if isinstance(message, AssistantMessage) and (text := _text(message.content) or message.refusal):
        return Said(by_user=False, text=text)
    return None


def _rounds(messages: list[Message]) -> tuple[tuple[Answered, ...], ...]:
    """The tool rounds since the visitor's last message; the outputs of a round follow its calls."""
    rounds: list[tuple[Answered, ...]] = []
    outputs: dict[str, str] = {}
    # From the end, so that the outputs of a round are known before its calls, which may have the ids of others.
    for message in reversed(messages):
        match message:
            case UserMessage():
                break
            case ToolMessage():
                outputs[message.tool_call_id] = _text(message.content)
            case AssistantMessage(tool_calls=[_, *_] as calls):
                rounds.append(
                    tuple(
                        Answered(Call(call.function.name, call.function.arguments), outputs[call.id])
                        for call in calls
                    )
                )
    return tuple(reversed(rounds))


def _forced(asked: CreateCompletion, functions: tuple[Function, ...]) -> str | None:
    if isinstance(asked.tool_choice, ToolChoice):
        return asked.tool_choice.function.name
    return functions[0].name if asked.tool_choice == "required" and functions else None


def _text(content: str | Parts | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts = (
        part.text if isinstance(part, TextIn) else part.refusal
        for part in content
        if isinstance(part, TextIn | RefusalIn)
    )
    return "\n".join(texts)


def _files(state: LocalState, content: str | list[UserPart]) -> tuple[Attachment, ...]:
    if isinstance(content, str):
        return ()
    return tuple(file for part in content if (file := _file(state, part)) is not None)


def _file(state: LocalState, part: UserPart) -> Attachment | None:
    match part:
        case ImageIn(image):
            data = data_urls.decode(image.url)
            return None if data is None else Attachment("", "image", data, Use.IMAGE)
        case AudioIn(audio):
            data = data_urls.unpacked(audio.data)
            return None if data is None else Attachment("", "the recording", data, Use.SEARCH)
        case FileIn(file) if file.file_id is not None:
            kept = state.files.get(file.file_id)
            return Attachment(file.file_id, kept.file.filename, kept.data, Use.SEARCH) if kept else None
        case FileIn(file):
            data = data_urls.decode(file.file_data or "")
            return None if data is None else Attachment("", file.filename or "file", data, Use.SEARCH)
        case _:
            return None
