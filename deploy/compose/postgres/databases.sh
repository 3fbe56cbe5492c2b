#!/bin/sh
# Run by the image of Postgres once, on an empty data folder: a role and a database each for cellar and for Prefect.
set -eu
for name in cellar prefect; do
  psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set "password=$(cat "${SECRETS_DIR:-/run/secrets}/$name-database-password")" --set "name=$name" <<'END'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
END
done
