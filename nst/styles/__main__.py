"""Draw the thumbnails of the package anew: ``python -m nst.styles``."""

from .thumbnails import draw_all

if __name__ == "__main__":
    draw_all()
