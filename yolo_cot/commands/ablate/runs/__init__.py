"""Making the runs of an ablation: each in a process of its own, here or on a Ray cluster."""
