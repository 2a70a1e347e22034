"""The tools of a response: our functions in the flat form, and those of the back end's own that are switched on."""

from collections.abc import Mapping, Sequence


def tools(
    functions: Sequence[Mapping[str, object]],
    hosted: Sequence[Mapping[str, object]],
    code_files: Sequence[str] = (),
) -> list[dict[str, object]]:
    """`functions` as {name, description, parameters}; `code_files` are the ids of files for the code interpreter.

    `strict` is true by default here, and would refuse a schema with optional parameters.
    """
    ours: list[dict[str, object]] = [
        {"type": "function", **function, "strict": False} for function in functions
    ]
    return ours + [_with_files(tool, code_files) for tool in hosted]


def _with_files(tool: Mapping[str, object], code_files: Sequence[str]) -> dict[str, object]:
    container = tool.get("container", {"type": "auto"})
    if tool.get("type") != "code_interpreter":
        return dict(tool)
    if code_files and isinstance(container, dict):
        container = {**container, "file_ids": [*container.get("file_ids", ()), *code_files]}
    return {**tool, "container": container}


def hosted_tools(
    names: Sequence[str], vector_stores: Sequence[str], mcp_servers: Sequence[Mapping[str, object]]
) -> tuple[dict[str, object], ...]:
    """The back end's own tools that the settings switch on, as Responses takes them.

    A tool of an MCP server runs without approval unless its setting says otherwise: whoever runs the server chose
    it, and no visitor could be asked.
    """
    found: list[dict[str, object]] = [{"type": name} for name in names]
    if vector_stores:
        found.append({"type": "file_search", "vector_store_ids": list(vector_stores)})
    found += [{"require_approval": "never", **server, "type": "mcp"} for server in mcp_servers]
    return tuple(found)
