# The workshop for a laptop that does not run Linux. In a shell or in PowerShell:
#
#	docker build -t gonsrun .
#	docker run --rm -it --privileged -v "${PWD}:/workshop" gonsrun
#
# --privileged, because the programs in here make namespaces, mounts and
# cgroups. -v, because what you write shall outlive the container: your files
# take the place of the image's, under the same path, so Go's caches stay warm.

# Debian 13, on amd64 and arm64: its Go is the oldest that go.mod accepts and
# the one of the Vagrant VM, and a class downloads a third of what it would for
# golang:1.24-trixie. Another base of Debian's kind, with a Go or without:
#	docker build --build-arg BASE=golang:1.24-trixie -t gonsrun .
ARG BASE=debian:13-slim
FROM ${BASE}

RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        $(command -v go >/dev/null || echo golang-go) ca-certificates \
        busybox-static strace procps iproute2 nftables iptables uidmap less vim-tiny tmux sudo \
 && rm -rf /var/lib/apt/lists/*

# A repository mounted from the laptop is another user's, and git would refuse
# to tell the go tool its revision.
ENV GOFLAGS=-buildvcs=false

COPY .devcontainer/profile.sh /etc/profile.d/gonsrun.sh
RUN echo '. /etc/profile.d/gonsrun.sh' >> /etc/bash.bashrc

# From here on Go's caches get warm, what changes least first: the modules, the
# standard library as far as it is used, final, then all of the repository.
# Whoever edits a lesson pays for the last part only. What go run links stays in
# the cache; -exec makes it copy the program instead of starting it.
WORKDIR /workshop
COPY go.mod go.sum ./
RUN go mod download
COPY internal internal
RUN go vet ./internal/...
COPY final final
RUN go vet ./final/... && go run -exec "install -t /usr/local/bin" ./final
COPY . .
RUN for lesson in ./step*; do go run -exec "install -t /usr/local/bin" "$lesson"; done \
 && sh .devcontainer/warm.sh

# The layers that a container writes to cannot lie on an overlay, as the image's
# own root is: folders of the machine's disk for those that final keeps, and for
# the tests'.
VOLUME ["/root/.cache/gonsrun", "/tmp"]

CMD ["bash"]
