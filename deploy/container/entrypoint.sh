#!/bin/sh
# Puts the secrets that all nodes share where the node looks for them, then becomes the node.
# SEAWALL_SECRETS names the folder they are mounted in; SEAWALL_DATA the node's own directory.
set -eu
umask 077

secrets="${SEAWALL_SECRETS:-/run/secrets}"
data="${SEAWALL_DATA:-/var/lib/seawall}"

if [ -f "$secrets/master.key" ] && [ -f "$secrets/operator.token" ]; then
  mkdir -p "$data/secrets"
  install -m 0600 "$secrets/master.key" "$data/secrets/master.key"
  install -m 0600 "$secrets/operator.token" "$data/operator.token"
fi

exec seawall "$@"
