"""Training: one plain loop per family, imported by the command line only."""
