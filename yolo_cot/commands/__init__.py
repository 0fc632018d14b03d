"""One job a file; most are verbs of the command line."""
