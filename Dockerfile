# An image with the one static binary and nothing else.
#
#   docker build -t aquanode:local .                       from source
#   deploy/build aquanode && docker build -t aquanode:local \
#     --target prebuilt --build-arg BINARY=aquanode .      from a binary, which needs no other image
#
# The peer is configured by variables, see docs/SETTINGS.md; its data is in the volume /data.

FROM scratch AS base
LABEL org.opencontainers.image.title="aquanode" \
      org.opencontainers.image.description="A peer of a particle network, with compiler, interpreter and service host" \
      org.opencontainers.image.source="https://github.com/aquanode/aquanode" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nobody's number, and none that a system uses.
USER 65532:65532
ENV AQUANODE_DATA_DIR=/data AQUANODE_ADMIN=127.0.0.1:18080
# A new volume gets the owner of this directory, which is there since a file is in it.
COPY --chown=65532:65532 deploy/docker/data /data
VOLUME /data
# TCP, WebSocket
EXPOSE 7777 9999
# 30 s are for fleets: a check is a process of 40 ms.
HEALTHCHECK --interval=30s --timeout=6s --retries=3 CMD ["/usr/bin/aquanode", "healthcheck"]
ENTRYPOINT ["/usr/bin/aquanode"]

# Before the stage that compiles, which builders without BuildKit would run too.
FROM base AS prebuilt
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$COMMIT"
# Builders without BuildKit pass here on the way to the last stage, so the default is a file that is there.
ARG BINARY=deploy/docker/no-binary
COPY $BINARY /usr/bin/aquanode

FROM golang:1.26 AS compiled
WORKDIR /src
COPY go.mod go.sum ./
RUN ["go", "mod", "download"]
COPY . .
# Without a VERSION it is that of the source.
ARG VERSION
ARG COMMIT=unknown
# As deploy/release does, so that the binary is the same.
RUN ["sh", "deploy/build", "/aquanode"]

FROM base AS source
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$COMMIT"
COPY --from=compiled /aquanode /usr/bin/aquanode
