"""`@tool`: makes a typed function one that the model may call."""

import functools
import inspect
import math
import re
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from deep_chat_proxy.tools.docstring import read_docstring
from deep_chat_proxy.tools.error import ToolError
from deep_chat_proxy.tools.schema import Arguments
from deep_chat_proxy.tools.signature import check_function, read_signature

P = ParamSpec("P")
R = TypeVar("R")

# OpenAI's rule for the name of a function, in all its protocols.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Tool(Generic[P, R]):
    """A function with what the model and a visitor are told of it; call it as the function it was.

    `name`, `description`, `parameters` (a JSON schema) go to the model, `label` is a sentence for the
    visitor. `timeout` is in seconds, None for the executor's own. `repeatable` says that the same call
    may be made twice where a crash left open whether it was made; `is_async`, that it runs on the loop.
    """

    __name__: str
    __wrapped__: Callable[P, R]

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
        label: str | None = None,
        repeatable: bool = False,
    ) -> None:
        """Raises ToolError where the function or an option cannot be used, saying what to change."""
        self.name = _checked_name(function, name)
        self.timeout = _checked_timeout(timeout, self.name)
        doc = read_docstring(function.__doc__)
        self.description = (description or doc.description).strip()
        if not self.description:
            raise ToolError(
                f"Tool {self.name}: it has no description, by which the model decides when to call it. "
                'Write a docstring, or `@tool(description="…")`.'
            )
        self._arguments = Arguments(self.name, read_signature(function, self.name), doc.parameters)
        self.parameters = self._arguments.schema
        self.label = label or f"Using {self.name.replace('_', ' ')}…"
        self.repeatable = repeatable
        self.is_async = inspect.iscoroutinefunction(function)
        # Attributes that the function carries must not replace those above.
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__wrapped__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"

    def read_arguments(self, text: str) -> dict[str, Any]:
        """The keyword arguments in the model's JSON; raises as `Arguments.read` says."""
        return self._arguments.read(text)

    def bind(self, arguments: dict[str, Any]) -> Callable[[], R]:
        """The call with what `read_arguments` returned, ready to be made."""
        return functools.partial(self.__wrapped__, **arguments)


def _checked_name(function: Callable[..., object], given: str | None) -> str:
    if isinstance(function, Tool):
        raise ToolError(f"Tool {function.name}: it is a tool already. Write @tool once.")
    check_function(function)
    name: str = given or function.__name__
    if not _NAME.fullmatch(name):
        raise ToolError(
            f"Tool {name}: this cannot be its name. Use 1 to 64 letters, digits, _ and -, "
            'for example `@tool(name="get_weather")`.'
        )
    return name


def _checked_timeout(timeout: float | None, name: str) -> float | None:
    if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
        raise ToolError(f"Tool {name}: timeout={timeout} makes no sense. Give seconds above 0.")
    return timeout


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    label: str | None = None,
    repeatable: bool = False,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(function: Callable[P, R] | None = None, /, **options: Any) -> Any:
    """Make a function a tool: `@tool`, or `@tool(name=…, description=…, timeout=…, label=…, repeatable=…)`.

    The function may be sync (it runs in a thread) or async (it runs on the loop). Every parameter needs a
    type. The model learns the name, the docstring, and of each parameter the type, the range and the
    description, from `Annotated[int, msgspec.Meta(description="…", ge=1)]`, `Annotated[int, "…"]` or the
    docstring's `Args:` or `:param x:`. What is returned goes to the model: text as it is, all else as JSON.

    Raises ToolError where the declaration cannot be used; the text says what to change.
    """
    if function is None:
        return functools.partial(Tool, **options)
    return Tool(function)
