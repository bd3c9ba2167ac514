#!/bin/sh
# Copies to the vault and thins out old copies.
set -eu
. /etc/backup/environment
restic backup --exclude-file /etc/backup/excludes.txt $BACKUP_PATHS
restic forget --prune --keep-daily "$KEEP_DAILY" --keep-weekly "$KEEP_WEEKLY"
