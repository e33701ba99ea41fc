"""What is said while guests are at work."""
import sys


class Progress:
    """A line for each kernel on a terminal, rewritten; elsewhere one when it starts and one when it ends. On stderr."""

    def __init__(self, names: list[str]) -> None:
        self.states = {name: "waiting" for name in names}
        self.live = sys.stderr.isatty()
        self.width = max(map(len, names), default=0)
        self.drawn = False

    def show(self, name: str, state: str, event: bool = False) -> None:
        """A new state; `event` marks those also said where there is no terminal."""
        self.states[name] = state
        if self.live:
            lines = "".join(f"\r\x1b[K{n:{self.width}}  {s[:100]}\n" for n, s in self.states.items())
            sys.stderr.write(f"\x1b[{len(self.states)}A{lines}" if self.drawn else lines)
            self.drawn = True
        elif event:
            sys.stderr.write(f"{name}: {state}\n")
        sys.stderr.flush()
