"""Ends that come from outside: a stopped job or a closed terminal is answered like Ctrl-C."""

import contextlib
import os
import signal
import sys
import threading
import time

ENDS = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Sent by batch systems and `kill`, by a terminal that closes, and by a console that closes in Windows."""

PATIENCE = 10
"""Seconds after the first such signal in which others don't disturb what is being saved."""


@contextlib.contextmanager
def as_interrupts():
    """Let the signals `ENDS` raise KeyboardInterrupt, as Ctrl-C does, for as long as a block lasts.

    What ends well after Ctrl-C, such as a training or a video, then ends well after these, too. A signal that
    is ignored, as under `nohup`, stays ignored. Outside of the main thread nothing is changed.
    """
    first = None

    def end(number, frame):
        nonlocal first
        if first is not None and time.monotonic() - first < PATIENCE:
            return
        first = time.monotonic()
        if signal.Signals(number).name == "SIGHUP":
            _forget_terminal()
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ENDS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            if before[number] is signal.SIG_DFL:
                signal.signal(number, before[number])


def _forget_terminal():
    """Send what is still to be printed nowhere: the terminal is gone, and printing would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none of the system's
            if os.isatty(stream.fileno()):
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
