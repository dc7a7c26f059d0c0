#!/bin/sh
# Makes ./configure in a checkout. Release archives come with it.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all,no-obsolete
