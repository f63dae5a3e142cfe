"""How this program's threads share the processor with others; to be settled before torch is imported."""

from __future__ import annotations

import os


def settle() -> None:
    """Let threads that wait for each other sleep, unless the user has said how they are to wait.

    OpenMP's threads spin while they wait. Where other programs want the same cores, those they wait for then do not get
    to run: beside other work a draft took 20 times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
