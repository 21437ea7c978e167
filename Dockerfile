# Two images: the program (`docker build --target peakedex .`, the default) and nginx before its API (`--target web`).
# docs/containers.md. The base is pinned by the digest of its index of platforms; --build-arg BASE replaces it.
ARG BASE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# ---------------------------------------------------------------- nginx, TLS and the cache
FROM ${BASE} AS web
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/* /var/log/nginx/*
COPY deploy/nginx/peakedex-headers.conf /etc/nginx/snippets/
COPY deploy/nginx/peakedex.conf /etc/nginx/sites-available/
COPY deploy/containers/nginx.conf /etc/nginx/
# The volume of the status page's history, which belongs to the user of the image below.
RUN install --directory --mode=0755 --owner=10001 --group=10001 /var/lib/peakedex-notify
# The site is a volume, the certificate two secrets, and the API another container: see compose.yaml.
RUN sed -e 's|@NAME@|_|' -e 's|@API@|172.31.95.2:8080|' -e 's|@SITE@|/site/files|' -e 's|@ACME@|/acme|' \
        -e 's|@CERT@|/run/secrets/tls_certificate|' -e 's|@KEY@|/run/secrets/tls_key|' \
        -e 's|@HEADERS@|snippets/peakedex-headers.conf|' -e 's|/var/cache/peakedex-nginx|/tmp/cache|' \
        -e 's|access_log @LOG@/.*;|access_log off;|' -e 's|error_log @LOG@/.*;|error_log stderr warn;|' \
        -e 's|listen 80;|listen 8080;|' -e 's|listen 443 ssl http2;|listen 8443 ssl http2;|' -e '/listen \[::\]/d' \
        /etc/nginx/sites-available/peakedex.conf >/etc/nginx/sites-enabled/peakedex.conf
USER 10002:10002
EXPOSE 8080 8443
STOPSIGNAL SIGQUIT
CMD ["nginx", "-e", "stderr"]

# ---------------------------------------------------------------- the wheel with compiled rules, and its environment
FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements-server.lock requirements-image.lock tests/system/clients/node.lock ./
RUN python3 -m venv /opt/peakedex \
    && /opt/peakedex/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-server.lock
RUN python3 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-image.lock \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r node.lock
# The site's chart library and fonts.
COPY deploy/vendor deploy/vendor
RUN cd deploy/vendor && PATH=/opt/build/bin:$PATH npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY . .
ARG MYPYC_OPT_LEVEL=3
RUN /opt/build/bin/python deploy/vendor/copy.py \
    && HATCH_BUILD_HOOK_ENABLE_CUSTOM=true MYPYC_OPT_LEVEL=$MYPYC_OPT_LEVEL \
        /opt/build/bin/python -m build --wheel --no-isolation --outdir /wheels . \
    && /opt/peakedex/bin/python -m pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /opt/peakedex/bin/python -I -c 'from indexer.rules_build import rules_are_compiled as ok; assert ok()'
# The list of all parts (SBOM, CycloneDX). Nothing is installed into the environment after this.
RUN /opt/build/bin/cyclonedx-py environment --output-format JSON --output-file /opt/sbom.cdx.json /opt/peakedex \
    && /opt/peakedex/bin/python -m pip uninstall --yes pip setuptools

# ---------------------------------------------------------------- the program
FROM ${BASE} AS peakedex
LABEL org.opencontainers.image.title="Peake DEX" \
      org.opencontainers.image.description="An order-book exchange for Hive: signed blocks in, an auditable journal out." \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 peakedex \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin peakedex \
    && install --directory --mode=0750 --owner=10001 --group=10001 /var/lib/peakedex /var/lib/peakedex-payouts /var/lib/peakedex-backups \
    && install --directory --mode=0755 --owner=10001 --group=10001 /site /var/lib/peakedex-notify /var/lib/peakedex-public \
    && { python3 -m pip uninstall --yes --root-user-action=ignore pip setuptools wheel || true; }
COPY --from=build /opt/peakedex /opt/peakedex
COPY --from=build /opt/sbom.cdx.json /usr/share/doc/peakedex/sbom.cdx.json
COPY --chmod=0755 deploy/containers/entrypoint.sh /usr/local/bin/peakedex-container
COPY --chmod=0755 deploy/containers/nightly.sh /usr/local/bin/peakedex-nightly
ENV PATH=/opt/peakedex/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PEAKEDEX_HOST=0.0.0.0 STATE_DIRECTORY=/var/lib/peakedex-payouts
WORKDIR /var/lib/peakedex
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["peakedex-container"]
CMD ["--help"]
