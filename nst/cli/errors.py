"""What a failure is called on the command line."""

from __future__ import annotations


def complaint(error: Exception) -> str | None:
    """One sentence for what the user can mend; None for what is a fault of the program."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:  # torch's, on any device
        return "There is not enough memory for this: choose a smaller --size, or a smaller picture."
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}."
    ours = type(error).__module__.partition(".")[0] == "nst"
    return text if ours or isinstance(error, ValueError | OSError) else None
