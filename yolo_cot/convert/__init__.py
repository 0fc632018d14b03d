"""The authors' checkpoints of CoTNet and VOLO, taken over into our networks."""
