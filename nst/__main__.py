"""The command line: `python -m nst COMMAND …`, a thin layer over the same tasks as the app."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv`, or the process's own arguments, ask for; the exit code: 0 when done, 2 for bad usage
    or bad input, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):  # a console that cannot write a name must not cost the picture
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from nst.places import home
    from nst.threads import settle

    home()  # before other libraries ask for it
    settle()
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except SystemExit as stop:  # from argparse: 0 after --help, 2 for bad usage
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        from nst.cli.errors import complaint

        if _stopped:
            print("Stopped.", file=sys.stderr)
            return 130
        if (sentence := complaint(error)) is None:
            raise
        print(sentence, file=sys.stderr)
        return 2


def _run(argv: Sequence[str]) -> int:
    import nst
    from nst.cli import DESCRIPTION, TASKS, about, commands
    from nst.cli.arguments import choose
    from nst.places import PROGRAM

    name, rest = choose(PROGRAM, DESCRIPTION, commands(), argv, version=f"Pastiche {nst.__version__}")
    if name in TASKS:  # imported here: torch takes seconds
        from nst import tasks
        from nst.cli import run

        _begin()
        return run.main(tasks.TASKS[TASKS[name]], name, about(name), rest)
    if name == "app":
        from nst.ui import app

        _begin()
        code = app.main(rest, prog=f"{PROGRAM} app")
        from nst.server.stopping import leave

        leave(code)
    if name == "map":
        from nst.cli import map

        _begin()
        return map.main(rest)
    from nst.cli import experiments, models

    _begin()
    return models.main(name, rest) if name in ("models", "styles") else experiments.main(name, rest)


def _stop(*_: object) -> None:
    """Ctrl-C. While libraries are imported, which may make another error of it or none, it is only remembered."""
    _stopped.append(True)
    if _begun or len(_stopped) > 1:
        raise KeyboardInterrupt


def _begin() -> None:
    """All is imported: from now on Ctrl-C acts at once."""
    _begun.append(True)
    if _stopped:
        raise KeyboardInterrupt


_stopped: list[bool] = []
_begun: list[bool] = []


def command() -> None:
    """The program `pastiche`."""
    signal.signal(signal.SIGINT, _stop)
    sys.exit(main())


if __name__ == "__main__":
    command()
