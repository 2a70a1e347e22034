"""`deep-chat-proxy check`: what the back end of the settings can do, in plain words.

protocols.py asks which protocols it speaks, models.py for the model, responses.py and assistants.py for what only
these have, sending.py sends one message where that is allowed. Each answers with findings.py; report.py asks all of
them and prints. Nothing is billed unless a message is sent.
"""

from deep_chat_proxy.check.models import NO_MODEL
from deep_chat_proxy.check.report import check

__all__ = ["NO_MODEL", "check"]
