# SPDX-License-Identifier: Apache-2.0
#
# docker build -t pintle .    or, as ./x image does without a container engine: buildah bud --build-arg BASE=...
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config \
        libcurl4-openssl-dev libevent-dev libexpat1-dev libfstrm-dev libldns-dev libmaxminddb-dev libnghttp2-dev libseccomp-dev libsmartcols-dev \
        libssl-dev liburcu-dev libxxhash-dev libyaml-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN cmake -S /src --preset release -B /tmp/build -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build /tmp/build --target pintled pintlectl \
    && DESTDIR=/out cmake --install /tmp/build --strip

FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libevent-core-2.1-7 libevent-extra-2.1-7 libevent-openssl-2.1-7 libexpat1 libfstrm0 libldns3 libmaxminddb0 libnghttp2-14 libseccomp2 libsmartcols1 \
        libssl3 liburcu8 libyaml-0-2 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr /usr
LABEL org.opencontainers.image.title="pintle" \
      org.opencontainers.image.description="DNS for services that live on many Kubernetes clusters" \
      org.opencontainers.image.licenses="Apache-2.0"
# No capability is needed: every port is above 1023 and nothing is written to the image's file system.
USER 65532:65532
EXPOSE 5353/udp 5353/tcp 9153/tcp
ENTRYPOINT ["/usr/bin/pintled"]
CMD ["--listen", "0.0.0.0:5353", "--admin", "0.0.0.0:9153"]
