#!/usr/bin/env bash
# usage: fuzz.sh each DURATION | fuzz.sh total SECONDS
# Finds every fuzz target and runs them one after another, each for DURATION or
# for its equal share of SECONDS. A crasher fails the run and is left in the
# testdata folder of its package.
set -euo pipefail
shopt -s inherit_errexit # a package that does not build must not hide its targets
mode=$1 time=$2

targets=$({ grep -rlE --include='*_test.go' '^func Fuzz' . || true; } | xargs -r -n1 dirname | sort -u |
  while read -r dir; do
    go test -list '^Fuzz' "$dir" | sed -n "s|^Fuzz.*|$dir &|p"
  done)
[ -n "$targets" ] || { echo "no fuzz targets"; exit 0; }

if [ "$mode" = total ]; then
  n=$(wc -l <<<"$targets")
  time=$(((time * 1000 + n - 1) / n))ms
fi

# When the time ends while an input is being tried, go test at times calls that
# a failure ("context deadline exceeded"). A real one leaves its input behind.
fuzz() {
  local log
  log=$(mktemp)
  if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 20x "$1" </dev/null 2>&1 | tee "$log"; then
    rm "$log"
    return 0
  fi
  local code=1
  if grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written' "$log"; then
    echo "fuzz $1 $2: the time was over, no failing input"
    code=0
  fi
  rm "$log"
  return $code
}

failed=0
while read -r dir target; do
  echo "fuzz $dir $target $time"
  fuzz "$dir" "$target" || failed=1
done <<<"$targets"
exit $failed
