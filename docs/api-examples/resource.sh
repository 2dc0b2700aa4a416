#!/bin/sh
# Enters a resource that no tool knows, and sets its state later. Needs curl and a token with the scope full.
set -eu
: "${SLIPWAY_URL:?the address of Slipway}" "${SLIPWAY_TOKEN:?a token with the scope full}"

ask() { # ask METHOD PATH JSON
  curl -fsS --max-time 20 -X "$1" "$SLIPWAY_URL/api/v1/$2" \
    -H "Authorization: Bearer $SLIPWAY_TOKEN" -H 'Content-Type: application/json' -d "$3"
}

id=$(ask POST resources '{"resourceType": "server", "name": "rack-7", "provider": "our own rack",
  "primaryIpAddress": "203.0.113.7", "state": "provisioning", "note": "third from the top"}' |
  sed -n 's/.*"provisionId": *"\([^"]*\)".*/\1/p')

# What is left out stays as it is. A move that the present state does not allow is answered with 409 and the reason.
ask PATCH "resources/$id" '{"state": "failed", "error": "Disk 2 is dead"}' >/dev/null
ask PATCH "resources/$id" '{"state": "provisioned"}' >/dev/null
echo "$id"
