#!/bin/sh
# Puts secrets where the process looks for them, then becomes it: what all nodes share, who may
# operate them if that is told, and a watcher's key (SEAWALL_WATCHER is its name).
# SEAWALL_SECRETS names the folder they are mounted in; SEAWALL_DATA the process's own directory.
set -eu
umask 077

secrets="${SEAWALL_SECRETS:-/run/secrets}"
data="${SEAWALL_DATA:-/var/lib/seawall}"

if [ -f "$secrets/master.key" ] && [ -f "$secrets/operator.token" ]; then
  mkdir -p "$data/secrets"
  install -m 0600 "$secrets/master.key" "$data/secrets/master.key"
  install -m 0600 "$secrets/operator.token" "$data/operator.token"
  for name in secrets/statement.key operators.toml; do
    if [ -f "$secrets/${name##*/}" ]; then
      install -m 0600 "$secrets/${name##*/}" "$data/$name"
    fi
  done
fi

if [ -n "${SEAWALL_WATCHER:-}" ] && [ -f "$secrets/watcher.key" ]; then
  mkdir -p "$data/watch"
  install -m 0600 "$secrets/watcher.key" "$data/watch/$SEAWALL_WATCHER.key"
fi

exec seawall "$@"
