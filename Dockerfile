# One image for every role of cellar. docs/containers.md says how to build, run and update it.

FROM docker.io/library/python:3.13.9-slim-trixie@sha256:326df678c20c78d465db501563f3492d17c42a4afe33a1f2bf5406a1d56b0e86 AS base
# The official image leaves out the compiled standard library. With a read-only root, each start would compile it again.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/(site|dist)-packages/|/(test|idlelib|tkinter|turtledemo|ensurepip|pydoc_data)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

FROM base AS build
WORKDIR /build
RUN python3 -m venv --without-pip /opt/cellar
COPY requirements.lock .
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/cellar/bin/python install --no-compile --only-binary :all: --require-hashes \
      -r requirements.lock
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/cellar/bin/python install --no-compile --no-deps --no-build-isolation . \
    && deploy/container/trim /opt/cellar /opt/lake

FROM base AS cellar
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'restic=0.18.*' \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/cellar --shell /usr/sbin/nologin cellar \
    && install --directory --owner cellar --group cellar --mode 0700 /var/lib/cellar
COPY --from=build /opt/cellar /opt/cellar
COPY deploy/container/healthy.py /opt/cellar/healthy.py
ENV PATH=/opt/cellar/bin:$PATH \
    LANG=C.UTF-8 \
    CELLAR_DATA_DIR=/var/lib/cellar \
    CELLAR_HOST=0.0.0.0 \
    CELLAR_WORKER_METRICS_PORT=8001 \
    PREFECT_HOME=/var/lib/cellar/prefect \
    PREFECT_SERVER_API_HOST=0.0.0.0 \
    PREFECT_SERVER_UI_STATIC_DIRECTORY=/var/lib/cellar/prefect-ui \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=1
USER 10001:10001
WORKDIR /var/lib/cellar
VOLUME /var/lib/cellar
EXPOSE 8000 8001 4200
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s --retries=3 CMD ["python3", "-IS", "/opt/cellar/healthy.py"]
ENTRYPOINT ["cellar"]

# With what writes Delta tables, for CELLAR_LAKE_URL.
FROM cellar AS cellar-lake
COPY --from=build /opt/lake /opt/cellar

FROM cellar
