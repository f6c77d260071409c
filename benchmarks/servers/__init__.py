"""The servers that are compared: each is one process over the same tables, with a pool of ten connections."""
