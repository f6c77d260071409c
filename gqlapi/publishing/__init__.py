"""Writing posts and organising tags: the rules, and the transactions that keep them."""
