"""Collections of pictures: what resembles what, by style and by content."""

from nst.collection.library import Collection, read_collection
from nst.collection.looks import content_look, style_look
from nst.collection.page import map_page
from nst.collection.survey import KINDS, LAYOUTS, Survey, rows, survey

__all__ = [
    "KINDS",
    "LAYOUTS",
    "Collection",
    "Survey",
    "content_look",
    "map_page",
    "read_collection",
    "rows",
    "style_look",
    "survey",
]
