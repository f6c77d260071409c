"""The HTTP server: uvicorn, with limits and deadlines for connections and a bounded shutdown.

It knows nothing of GraphQL and serves any ASGI application; the application runs under other servers as well.
"""
