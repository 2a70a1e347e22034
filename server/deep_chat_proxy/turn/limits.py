"""How long, how large and how many: the bounds of turns, all of them settings."""

from msgspec import Struct


class TurnLimits(Struct, frozen=True):
    """Times in seconds.

    `turn` is the longest a turn may take, `grace` how long it goes on unfollowed, `busy_wait` how long a
    message waits for the turn before it, `resend` how long the same message counts as one that was sent again,
    `readable` how long the end of a turn can be had. `live` is how many turns may be under way at once, `rounds` how
    often the model may ask for tools in one turn, `log_events` how many events of a turn are kept for
    followers, `answer_characters` how long an answer may become.
    """

    turn: float
    grace: float
    busy_wait: float
    resend: float
    readable: float
    live: int
    rounds: int
    log_events: int
    answer_characters: int
