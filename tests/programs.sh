#!/usr/bin/env bash
# Sees to programs that pip cannot install, named by their Debian packages: chromium, postgresql (15 or newer), wrk.
# As root on Debian it installs what is missing; otherwise it says what to do.
set -euo pipefail

have_postgresql() {
  local initdb
  for initdb in /usr/lib/postgresql/*/bin/initdb; do
    [[ -x $initdb && $(basename "${initdb%/bin/initdb}") -ge 15 ]] && return 0
  done
  [[ $(initdb --version 2>/dev/null | grep -oE '[0-9]+' | head -n 1) -ge 15 ]]
}

missing=()
for package in "$@"; do
  if [[ $package == postgresql ]]; then
    have_postgresql || missing+=(postgresql)
  else
    command -v "$package" >/dev/null || missing+=("$package")
  fi
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "This needs ${missing[*]}, which this machine does not have." \
    "Install it: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${missing[*]} …"
# The tests start servers of their own in temporary folders: Debian's package need not start one too.
if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
  mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null
