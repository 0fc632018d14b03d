"""All three kinds of block in a file of the user's: what works for a block of this package works for them."""
