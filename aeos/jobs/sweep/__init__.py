"""A sweep: which points, in which blocks, moved by whom, and what is kept of each."""
