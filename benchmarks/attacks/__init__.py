"""Hostile requests: a corpus that the tests run as well, and what each of them costs a server."""
