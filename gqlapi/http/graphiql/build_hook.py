"""The part of the wheel's build that bundles GraphiQL; hatchling runs it."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# hatchling loads this file alone, and the package that it belongs to is not installed where it runs.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from gqlapi.http.graphiql.build import BuildFailed, build_bundle


class GraphiQLBuildHook(BuildHookInterface[Any]):
    """Puts the bundle into a wheel; a wheel that is built without Node serves GraphiQL from a CDN."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle, except for an editable install, which serves what `gqlapi dev` builds."""
        if version == "editable":
            return
        try:
            bundle = build_bundle()
        except (BuildFailed, OSError) as error:
            self.app.display_warning(f"GraphiQL is not in this wheel, its page will load from a CDN: {error}")
            return
        build_data["force_include"][str(bundle)] = f"gqlapi/http/graphiql/bundle/{bundle.name}"
