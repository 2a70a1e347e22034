"""A turn that another process has begun, told once more as far as it is written down."""

from collections.abc import Sequence

from deep_chat_proxy.turn.events import Accepted, Completed, ToolCallsRequested, UpstreamEvent
from deep_chat_proxy.turn.transcript import AssistantSaid, CallsMade, Entry
from deep_chat_proxy.upstream.said import Said


def told(own: Sequence[Entry], said: Said, notice: str = "") -> list[UpstreamEvent]:
    """What was said in a turn by the entries that it has written, behind a `notice` of ours; last the calls that it had
    come to, or its end. Where it is neither, the answer to what stands last is still to be had.
    """
    out: list[UpstreamEvent] = [Accepted(), *(said.notice(notice) if notice else ())]
    for index, entry in enumerate(own):
        if isinstance(entry, CallsMade | AssistantSaid):
            said.say(("written", index), entry.text, out, whole=True)
    last = own[-1]
    if isinstance(last, CallsMade):
        out.append(ToolCallsRequested(last.calls))
    elif isinstance(last, AssistantSaid):
        out.append(Completed())
    return out
