"""Work on model YAMLs as text: insert blocks, find faults, say which stock model one was made from."""
