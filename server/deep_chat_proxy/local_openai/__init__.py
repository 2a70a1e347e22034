"""The local OpenAI: a server that speaks OpenAI's protocols, so that a chat runs with no key and no network.

It imports nothing of the rest of `deep_chat_proxy`, as it must not share code with what it tests.

    request ─ middleware.py ─ assistants/ | responses/ | chat/ | files.py | models.py ─ state.py
                                  │             │         │
                                  └─────── asking.py ─────┘
                                              │
                                            brain/     what the assistant says and does; knows no protocol

`assistants/` is the Assistants v2 dialect, `responses/` that of Responses with Conversations and containers,
`chat/` that of Chat Completions; each performs what the brain answers in its own way. `event_stream.py` is how
their streams are sent. `state.py` holds what is kept, bounded by `LocalOptions`, which can also make it a poorer
server than OpenAI's. `headers.py` puts on every answer what OpenAI's answers carry.

Base URL `http://127.0.0.1:8081/v1`, any key but `invalid`, a ready assistant `asst_local`, a model
`local-1`. Write `help` in the chat to see what the assistant can be asked for.
"""

from deep_chat_proxy.local_openai.app import create_local_openai
from deep_chat_proxy.local_openai.options import LocalOptions
from deep_chat_proxy.local_openai.serve import run_local_openai
from deep_chat_proxy.local_openai.state import STATE

__all__ = ["STATE", "LocalOptions", "create_local_openai", "run_local_openai"]
