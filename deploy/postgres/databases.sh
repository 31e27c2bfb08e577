#!/bin/sh
# Run once by the postgres image, on an empty data folder: one database and one user each, so that
# no component can read the tables of another. In UTF-8, whatever the locale the server was set up in:
# what people wrote and what tasks say has more than ASCII in it.
set -eu

for name in airflow ledger mlflow studies; do
    variable="$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')_DB_PASSWORD"
    password="$(printenv "$variable")"
    psql --username postgres --set ON_ERROR_STOP=1 --set name="$name" --set password="$password" <<'SQL'
CREATE USER :"name" PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
