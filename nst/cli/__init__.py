"""The command line's commands, one file per family; the only part of the library that prints."""
