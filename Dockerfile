# The daemon ec-syncd and the command chef-sync-ctl, without the embedded Temporal
# server: a container has a Temporal cluster beside it (see docker-compose.yml).
#
#   docker build -t chef-sync .
#   docker build -t chef-sync --build-arg VERSION=1.2.3 .
#
# It runs with any user ID. That user must own the key file, with mode 0600.

FROM golang:1.26.8 AS build
ARG VERSION=
WORKDIR /src
# The modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
RUN set -- -tags noembed -trimpath -ldflags "-s -w -X github.com/chef-sync/chef-sync/internal/version.Version=$VERSION" && \
    go build "$@" -o /out/usr/local/bin/ec-syncd ./worker && \
    go build "$@" -o /out/usr/local/bin/chef-sync-ctl ./starter
# A volume takes over owner and mode of the directory it is mounted on, before the
# user ID is known; hence writable by all, in a container with one process.
RUN mkdir -m 1777 -p /out/tmp /out/var/opt/chef-sync /out/var/log/opscode/chef-sync && \
    mkdir -p /out/etc/ssl/certs /out/etc/chef-sync && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

FROM scratch
COPY --from=build /out/ /
USER 1000:1000
# Needs metrics_address in chef-sync.rb. A worker that does not reach Temporal goes
# on trying: unhealthy means look, not restart.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["/usr/local/bin/ec-syncd", "ready"]
ENTRYPOINT ["/usr/local/bin/ec-syncd"]
