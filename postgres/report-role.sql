-- A role for a BI tool: it may connect and read the report views, also those that a later start
-- makes again. Values come from the environment, as in roles.sql.
\set ON_ERROR_STOP on
\getenv role ROLE_NAME
\getenv password ROLE_PASSWORD
\getenv gateway GATEWAY_DB_USER

SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
-- Few connections and a bound on each query: a report must not hold up the gateway.
ALTER ROLE :"role"
  LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 5
  PASSWORD :'password';
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = '60s';
ALTER ROLE :"role" SET search_path = gateway_reports;

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec
GRANT USAGE ON SCHEMA gateway_reports TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA gateway_reports TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"gateway" IN SCHEMA gateway_reports
  GRANT SELECT ON TABLES TO :"role";
