#!/bin/sh
# Tells Slipway of a deployment that no tool reports: what is planned, what happens, how it ends.
# Needs curl, SLIPWAY_URL (like https://slipway.example.com) and SLIPWAY_TOKEN (scope ingest).
set -eu
: "${SLIPWAY_URL:?the address of Slipway}" "${SLIPWAY_TOKEN:?a token with the scope ingest}"

tell() { # tell PATH JSON: what is sent twice is stored once, so every request may be repeated
  curl -fsS --retry 5 --retry-connrefused --max-time 20 "$SLIPWAY_URL/api/v1/$1" \
    -H "Authorization: Bearer $SLIPWAY_TOKEN" -H 'Content-Type: application/json' -d "$2"
}

# The key is your own name for this run; begun again under the same key, it is the same run.
key="${RUN_KEY:-deploy-$(date +%s)-$$}"
run=$(tell runs "{\"key\": \"$key\", \"stack\": \"prod\", \"tool\": \"deploy.sh\", \"command\": \"$0\"}" |
  sed -n 's/.*"run": *"\([^"]*\)".*/\1/p')

# Whatever ends this script ends the run, with its exit code.
trap 'code=$?; tell "runs/$run/end" "{\"exitCode\": $code}" >/dev/null' EXIT

# seq numbers what you say in the run, planned steps and events alike, from 0.
tell "runs/$run/steps" '{"seq": 0, "steps": [
  {"address": "db.orders", "resourceType": "database", "action": "update"},
  {"address": "web.shop", "resourceType": "webService", "action": "create", "waitsFor": "db.orders"}]}' >/dev/null

step() { # step SEQ ADDRESS ACTION COMMAND…: runs the command and tells how it went; takes two numbers
  seq=$1 address=$2 action=$3
  shift 3
  about="\"address\": \"$address\", \"action\": \"$action\""
  tell "runs/$run/events" "{\"seq\": $seq, \"events\": [{\"type\": \"started\", $about}]}" >/dev/null
  if "$@"; then said='"type": "done"'; code=0; else code=$?; said="\"type\": \"failed\", \"error\": \"$1 ended with $code\""; fi
  tell "runs/$run/events" "{\"seq\": $((seq + 1)), \"events\": [{$said, $about}]}" >/dev/null
  return $code
}

step 2 db.orders update "${MIGRATE:-true}"
step 4 web.shop create "${DEPLOY:-true}"
