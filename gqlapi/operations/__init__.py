"""Operations of this API: read, compiled once, bound to variables, and refused when they are too large.

Knows the limits and the errors of the API, and nothing of posts; `gqlapi.execution` executes what is bound.
"""

from gqlapi.operations.batch import BatchBudget
from gqlapi.operations.binding import BoundOperation, Refused
from gqlapi.operations.compiled import Operations
from gqlapi.operations.limits import Limits

__all__ = ["BatchBudget", "BoundOperation", "Limits", "Operations", "Refused"]
