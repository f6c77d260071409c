"""Documents that are known by an id: trusted ones, which operators add, and those that clients register.

https://github.com/graphql/graphql-over-http, appendix A, and Apollo's protocol for automatic persisted queries (APQ).
Nothing is imported here: commands would wait for what only servers need.
"""
