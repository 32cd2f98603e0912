#!/usr/bin/env bash
# usage: benchcmp.sh REF PATTERN PACKAGE...
# Runs the benchmarks matching PATTERN on the git ref REF and on the working
# tree, six times each, and prints what benchstat says of the difference.
set -euo pipefail
ref=$1 pattern=$2
shift 2

tmp=$(mktemp -d)
trap 'git worktree remove --force "$tmp/tree" 2>/dev/null; rm -rf "$tmp"' EXIT
git worktree add --quiet --detach "$tmp/tree" "$ref"

run() { go test -tags noselfupdate -run '^$' -bench "$pattern" -benchmem -count 6 "$@"; }
(cd "$tmp/tree" && run "$@") >"$tmp/old"
run "$@" >"$tmp/new"
go tool -modfile=tools/go.mod benchstat "$ref=$tmp/old" "worktree=$tmp/new"
