# The server in an image: GraphiQL is bundled with Node, the wheel is built and installed with uv, and what runs holds
# Python and the installed packages only. docs/deployment.md says how to run it.

# GraphiQL. Not the slim image: the full one brings the Python 3.11 that starts npm and names the bundle.
# All bases by their full versions: raise them together with the pins of pyproject.toml.
FROM node:24.19.0-bookworm AS graphiql
WORKDIR /src
COPY gqlapi/__init__.py gqlapi/
COPY gqlapi/http/__init__.py gqlapi/http/
COPY gqlapi/http/graphiql/__init__.py gqlapi/http/graphiql/build.py gqlapi/http/graphiql/bundle.py gqlapi/http/graphiql/
COPY gqlapi/http/graphiql/source gqlapi/http/graphiql/source
RUN python3 -c "from gqlapi.http.graphiql.build import build_bundle; print(build_bundle())"


FROM python:3.11.18-slim-bookworm AS install
# The version that pyproject.toml pins.
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==0.13.8
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# Dependencies first, in a layer that lasts until pyproject.toml changes: its constraints, which uv reads from the working
# directory, pin every version. Groups for development stay out.
COPY pyproject.toml ./
RUN uv venv --no-project /opt/gqlapi \
 && uv pip install --python /opt/gqlapi --requirements pyproject.toml
COPY LICENSE README.md ./
COPY alembic alembic
COPY examples examples
COPY gqlapi gqlapi
# The build of the wheel finds the bundle there, and needs no Node.
COPY --from=graphiql /src/gqlapi/http/graphiql/bundle gqlapi/http/graphiql/bundle
RUN uv build --wheel --out-dir /build/dist \
 && uv pip install --no-deps --python /opt/gqlapi /build/dist/*.whl \
 && uv pip check --python /opt/gqlapi
# A wheel without its bundle or its migrations is built without an error: look.
WORKDIR /
RUN ["/opt/gqlapi/bin/python", "-c", "from gqlapi.database.migrations import head_revision; from gqlapi.http.graphiql.page import current_bundle, load_examples; assert current_bundle() and load_examples() and head_revision()"]


FROM python:3.11.18-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gqlapi" \
      org.opencontainers.image.description="A GraphQL API server for publishing" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 gqlapi \
 && useradd --uid 10001 --gid gqlapi --no-create-home --home-dir /data --shell /usr/sbin/nologin gqlapi \
 && install --directory --owner gqlapi --group gqlapi /data
COPY --from=install /opt/gqlapi /opt/gqlapi
ENV PATH=/opt/gqlapi/bin:$PATH GQLAPI_HOST=0.0.0.0 GQLAPI_PORT=8000
# Where an SQLite file would be, for those who mount a volume there; nothing else is written.
WORKDIR /data
# By number, so that an orchestrator sees that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Not urllib, which would ask a proxy that the environment names.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os; from http.client import HTTPConnection; c = HTTPConnection('127.0.0.1', int(os.environ['GQLAPI_PORT']), timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["gqlapi"]
CMD ["serve"]
