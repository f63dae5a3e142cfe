"""Pastiche inside other programs."""
