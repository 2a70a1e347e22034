"""Uses of an MCP server, which is not asked: its one tool is known here."""

from typing import Any

from deep_chat_proxy.local_openai.brain.actions import AskApproval, UseRemoteTool
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.responses.stage import Stage


async def use_remote_tool(stage: Stage, action: UseRemoteTool) -> None:
    """Lists the tools of the server where that was not done before, then calls one."""
    await _list_tools(stage, action.server, action.tool)
    opened = stage.open(
        "mcp_",
        {
            "type": "mcp_call",
            "status": "in_progress",
            "approval_request_id": _approved_request(stage),
            "arguments": "",
            "error": None,
            "name": action.tool,
            "output": None,
            "server_label": action.server,
        },
    )
    opened.tell("mcp_call.in_progress")
    for piece in pieces(action.arguments):
        opened.item["arguments"] += piece
        opened.tell("mcp_call_arguments.delta", delta=piece)
        await stage.beat()
    opened.tell("mcp_call_arguments.done", arguments=action.arguments)
    opened.item["output"] = action.output
    opened.tell("mcp_call.completed")
    opened.close()


async def ask_approval(stage: Stage, action: AskApproval) -> None:
    """Lists the tools, and asks the client whether one may be used."""
    await _list_tools(stage, action.server, action.tool)
    request = {
        "type": "mcp_approval_request",
        "arguments": action.arguments,
        "name": action.tool,
        "server_label": action.server,
    }
    stage.open("mcpr_", request).close()


async def _list_tools(stage: Stage, server: str, tool: str) -> None:
    known = {item.get("server_label") for item in stage.kept.given if item["type"] == "mcp_list_tools"}
    if server in known:
        return
    tools: list[dict[str, Any]] = []
    opened = stage.open("mcpl_", {"type": "mcp_list_tools", "server_label": server, "tools": tools})
    opened.tell("mcp_list_tools.in_progress")
    await stage.beat()
    schema = {
        "type": "object",
        "properties": {"sides": {"type": "integer"}},
        "required": ["sides"],
        "additionalProperties": False,
    }
    tools.append(
        {
            "name": tool,
            "description": "Rolls a die.",
            "input_schema": schema,
            "annotations": {"read_only": True},
        }
    )
    opened.tell("mcp_list_tools.completed")
    opened.close()


def _approved_request(stage: Stage) -> str | None:
    answers = [item for item in stage.kept.new if item["type"] == "mcp_approval_response"]
    return str(answers[-1]["approval_request_id"]) if answers else None
