"""Collections of pictures: what resembles what, by style and by content."""

from nst.collection.analysis import KINDS, LAYOUTS, Analysis, analyze, rows, write_table
from nst.collection.embeddings import content_embedding, style_embedding
from nst.collection.library import Collection, names_in, read_collection
from nst.collection.page import map_page
