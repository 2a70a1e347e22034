"""Figures for Prometheus, where `DEEP_CHAT_METRICS=on` wants them: nothing of this room is loaded otherwise.

`figures.py` is what is counted, told by turns (as their `Observer`) and by `requests.py`; `exposition.py` shows it. A
label is never something that a visitor can choose.
"""

from deep_chat_proxy.metrics.exposition import setup_metrics
from deep_chat_proxy.metrics.figures import Figures

__all__ = ["Figures", "setup_metrics"]
