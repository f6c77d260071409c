"""How often clients use which part of the schema."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database.types import UtcDateTime
from gqlapi.models.base import Base

MAX_COORDINATE_LENGTH = 200
MAX_CLIENT_LENGTH = 100


class FieldUsage(Base):
    """The uses of a schema coordinate by a client, summed over all servers.

    Bounded: by the schema, by the number of distinct clients, and by `gqlapi prune`.
    """

    __tablename__ = "field_usage"

    # https://spec.graphql.org/September2025/#sec-Schema-Coordinates
    coordinate: Mapped[str] = mapped_column(sa.String(MAX_COORDINATE_LENGTH), primary_key=True)
    # Empty: the client does not give its name.
    client: Mapped[str] = mapped_column(sa.String(MAX_CLIENT_LENGTH), primary_key=True)
    uses: Mapped[int] = mapped_column(sa.BigInteger)
    first_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
