"""The change feed of posts: read once by each process, followed by any number of subscribers from any position."""

from gqlapi.feed.feed import Changes, Feed, PositionExpired
from gqlapi.feed.live import LiveAnswer, LiveQueries, LiveQuery

__all__ = ["Changes", "Feed", "LiveAnswer", "LiveQueries", "LiveQuery", "PositionExpired"]
