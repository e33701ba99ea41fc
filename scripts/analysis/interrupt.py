"""What Ctrl-C does before a script can answer it: ends it, as it ends any program. Python would show where it was among its
imports, of which pandas takes half a second. A script imports this first."""
import signal


def deadly() -> None:
    """Until ready(). What was started to ignore it, such as a shell's background job, goes on doing so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def ready() -> None:
    """From here on it is KeyboardInterrupt: all that is imported is there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


deadly()
