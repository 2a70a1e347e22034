"""Function calls: written out, to be answered by the next request."""

from deep_chat_proxy.local_openai.brain.conversation import Call
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.responses.stage import Stage


async def call_functions(stage: Stage, calls: tuple[Call, ...]) -> None:
    """One item for each call."""
    for call in calls:
        opened = stage.open(
            "fc_",
            {
                "type": "function_call",
                "status": "in_progress",
                "arguments": "",
                "call_id": new_id("call_"),
                "name": call.name,
            },
        )
        for piece in pieces(call.arguments):
            opened.item["arguments"] += piece
            opened.tell("function_call_arguments.delta", delta=piece)
            await stage.beat()
        opened.tell("function_call_arguments.done", arguments=call.arguments, name=call.name)
        opened.close()
