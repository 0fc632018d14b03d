"""The figures of the docs, each a function that draws it."""
