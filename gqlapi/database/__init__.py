"""Engines, units of work, pagination, migrations."""
