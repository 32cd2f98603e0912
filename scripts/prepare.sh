#!/usr/bin/env bash
# Installs what the tests need beyond Go and its modules and this machine lacks:
# the C compiler of the race detector.
set -euo pipefail
command -v "$(CGO_ENABLED=1 go env CC)" >/dev/null && exit 0
apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc libc6-dev
