"""Pastiche: neural style transfer for people."""

__version__ = "0.1.0"
