#!/bin/sh
# Copies to the vault and thins out old copies.
set -eu
exec 9>/run/nightly-backup.lock
flock -n 9 || exit 0
. /etc/backup/environment
restic backup --exclude-file /etc/backup/excludes.txt $BACKUP_PATHS
restic forget --prune --keep-daily "$KEEP_DAILY" --keep-weekly "$KEEP_WEEKLY"
