-- The superuser's password, the gateway's role and its database. Run on every start, so that a
-- changed secret or name takes effect; running it again changes nothing else.
-- Values come from the environment by \getenv, never from argv, and psql quotes them.
\set ON_ERROR_STOP on
\getenv superuser_password POSTGRES_PASSWORD
\getenv gateway_user GATEWAY_DB_USER
\getenv gateway_password GATEWAY_DB_PASSWORD
\getenv gateway_db GATEWAY_DB_NAME

-- A statement with a password must reach no log, not even when it fails.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';
SET client_min_messages = 'warning';

ALTER ROLE postgres PASSWORD :'superuser_password';

SELECT format('CREATE ROLE %I', :'gateway_user')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'gateway_user') \gexec
ALTER ROLE :"gateway_user"
  LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  PASSWORD :'gateway_password';

SELECT format('CREATE DATABASE %I OWNER %I', :'gateway_db', :'gateway_user')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'gateway_db') \gexec
-- The owner of a database owns its schema public (through pg_database_owner).
ALTER DATABASE :"gateway_db" OWNER TO :"gateway_user";

-- PUBLIC may connect to every database by default: nobody but owner and superuser needs to.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
FROM pg_database
WHERE datname <> 'template0' \gexec
