"""Jobs: each composes a problem, processes, observers and a run folder, and nothing else."""
