"""Comparisons over whole grids of pictures, judged by what made none of them: a file for each."""
