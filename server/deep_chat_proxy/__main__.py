"""`python -m deep_chat_proxy` is the command `deep-chat-proxy`."""

import sys

from deep_chat_proxy.cli import main

sys.exit(main())
