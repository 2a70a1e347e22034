"""Reasoning, of which only a summary is shown."""

from deep_chat_proxy.local_openai.brain.actions import Think
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.responses.objects import Item
from deep_chat_proxy.local_openai.responses.stage import Stage


async def think(stage: Stage, thought: Think) -> None:
    """An item with one part for each part of the summary."""
    summary: list[Item] = []
    # The encrypted content stands for what the model thought, for clients that keep the history themselves.
    opened = stage.open(
        "rs_", {"type": "reasoning", "summary": summary, "encrypted_content": new_id("gAAAAA")}
    )
    for index, text in enumerate(thought.summary):
        part = {"type": "summary_text", "text": ""}
        summary.append(part)
        opened.tell("reasoning_summary_part.added", summary_index=index, part=part)
        for piece in pieces(text):
            part["text"] += piece
            opened.tell("reasoning_summary_text.delta", summary_index=index, delta=piece)
            await stage.beat()
        opened.tell("reasoning_summary_text.done", summary_index=index, text=text)
        opened.tell("reasoning_summary_part.done", summary_index=index, part=part)
    opened.close()
