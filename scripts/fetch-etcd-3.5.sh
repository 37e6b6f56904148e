#!/usr/bin/env bash
# Gets Debian's etcd 3.5 (suite sid) for the tests without installing it, into node_modules/.cache/skiff/etcd-3.5.
# For machines that can reach a Debian mirror and no image registry; elsewhere the tests pull the published image.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
target="$root/node_modules/.cache/skiff/etcd-3.5"
mirror="${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/ 2>/dev/null | head -1 | tr -d ' ' || true)}"
[ -x "$target/usr/bin/etcd" ] && exec "$target/usr/bin/etcd" --version
mkdir -p "$target/apt/lists/partial" "$target/apt/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} sid main" >"$target/apt/sources.list"
options=(
  -o "Dir::Etc::sourcelist=$target/apt/sources.list" -o 'Dir::Etc::sourceparts=-'
  -o "Dir::State::lists=$target/apt/lists" -o "Dir::Cache=$target/apt/cache" -o "Dir::State::status=/dev/null" -o 'APT::Sandbox::User=root'
)
apt-get "${options[@]}" update -qq
(cd "$target" && apt-get "${options[@]}" download -qq etcd-server && dpkg -x etcd-server_*.deb . && rm -f etcd-server_*.deb)
rm -rf "$target/apt"
"$target/usr/bin/etcd" --version
