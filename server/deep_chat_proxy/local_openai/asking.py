"""Asking the brain for what is done first, and refusing the request where it wants that."""

import msgspec

from deep_chat_proxy.local_openai.brain import reply
from deep_chat_proxy.local_openai.brain.actions import Action, RejectRequest
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.errors import ApiError
from deep_chat_proxy.local_openai.state import LocalState


def first_script(state: LocalState, place: str, known: Conversation) -> tuple[Action, ...]:
    """
    What the brain answers to the last message of a conversation.

    `place` is where the message came to (the id of a thread, or nothing), so that a second try is known
    as one. Raises ApiError where the brain wants the request to be refused.
    """
    text = known.asked.text
    script = reply(msgspec.structs.replace(known, tried_before=state.was_refused(place, text)))
    rejection = script[0] if script and isinstance(script[0], RejectRequest) else None
    state.note_refused(place, text, refused=rejection is not None)
    if rejection is not None:
        raise ApiError(
            rejection.status,
            rejection.message,
            kind=rejection.kind,
            code=rejection.code,
            retry_after=rejection.retry_after,
        )
    return script
