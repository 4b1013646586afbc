#!/usr/bin/env bash
# Records the example program and writes its report: run_demo.sh MEMLENS CAPTURE REPORT
set -euo pipefail
memlens=$1 capture=$2 report=$3
script=$(dirname "$0")/index_words.py

echo "\$ memlens run $script"
"$memlens" run --force --output "$capture" "$script"
echo
echo "\$ memlens summary $capture"
"$memlens" summary "$capture"
echo
echo "\$ memlens flamegraph $capture"
"$memlens" flamegraph --force --output "$report" "$capture"
echo
echo "Open $PWD/$report in a browser."
