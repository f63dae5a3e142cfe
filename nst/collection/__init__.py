"""Collections of pictures: what resembles what, by style and by content."""

from nst.collection.atlas import KINDS, LAYOUTS, Survey, rows, survey, write_table
from nst.collection.embeddings import content_look, style_look
from nst.collection.library import Collection, names_in, read_collection
from nst.collection.page import map_page

__all__ = [
    "KINDS",
    "LAYOUTS",
    "Collection",
    "Survey",
    "content_look",
    "map_page",
    "names_in",
    "read_collection",
    "rows",
    "style_look",
    "survey",
    "write_table",
]
