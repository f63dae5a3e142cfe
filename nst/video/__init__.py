"""Clips: read, painted without flicker, written; and films of a few pictures."""

from nst.video.clips import (
    CLIP_SUFFIXES,
    EXAMPLES,
    MAX_PIXELS,
    Clip,
    Frame,
    example_file,
    probe,
    read_frames,
    read_recipe,
)
from nst.video.encoding import FORMATS
from nst.video.film import check_film, save_film
from nst.video.writing import Reel, is_unfinished
