"""aeos: a laboratory for the dynamics of adaptive optimizers at the edge of stability."""
