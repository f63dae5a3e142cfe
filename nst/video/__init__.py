"""Clips: read, painted without flicker, written; and films of a few pictures."""

from nst.video.clips import CLIP_SUFFIXES, Clip, Frame, probe, read_frames, read_recipe
from nst.video.film import check_film, save_film
from nst.video.writing import FORMATS, Reel, is_unfinished

__all__ = [
    "CLIP_SUFFIXES",
    "FORMATS",
    "Clip",
    "Frame",
    "Reel",
    "check_film",
    "is_unfinished",
    "probe",
    "read_frames",
    "read_recipe",
    "save_film",
]
