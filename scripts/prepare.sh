#!/usr/bin/env bash
# Installs what the tests need beyond Go and its modules and this machine lacks:
# the C compiler of the race detector, the database servers that fstest/dbserver
# starts, Java and Maven for the real Datomic, and unzip.
set -euo pipefail

# present PROGRAM... succeeds if one of the given programs is there.
present() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null && return 0
    done
    return 1
}

missing=()
present "$(CGO_ENABLED=1 go env CC)" || missing+=(gcc libc6-dev)
present initdb /usr/lib/postgresql/*/bin/initdb && present psql || missing+=(postgresql)
present mariadbd /usr/sbin/mariadbd && present mariadb || missing+=(mariadb-server)
present java || missing+=(default-jre-headless)
present mvn || missing+=(maven)
present unzip || missing+=(unzip)
[ ${#missing[@]} -eq 0 ] && exit 0

# The packages of the servers start services, which nobody asked for.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
