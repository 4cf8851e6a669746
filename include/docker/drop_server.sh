#!/bin/sh
# Starts the drop server with its one account: it may put files in and see their names, and neither read nor delete them.
set -eu

case ${DROP_PASSWORD:-} in
'') echo "drop: set TOLLHOUSE_DROP_PASSWORD in .env" >&2; exit 1 ;;
*[!A-Za-z0-9_-]*) echo "drop: TOLLHOUSE_DROP_PASSWORD may hold letters, digits, _ and - only" >&2; exit 1 ;;
esac

umask 077
cat >/tmp/accounts.json <<JSON
{
  "users": [
    {
      "username": "pbx",
      "password": "$DROP_PASSWORD",
      "status": 1,
      "home_dir": "/srv/drop",
      "permissions": {"/": ["list", "upload", "overwrite", "rename"]}
    }
  ]
}
JSON
unset DROP_PASSWORD
# Files are read by another account than the server's.
umask 022
exec sftpgo serve
