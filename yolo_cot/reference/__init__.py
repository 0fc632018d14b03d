"""The published forms of the blocks: what parity tests and the benchmark compare with."""
