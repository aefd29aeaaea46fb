-- Takes back what report-role.sql gave, and the role with it.
\set ON_ERROR_STOP on
\getenv role ROLE_NAME

DROP OWNED BY :"role";
DROP ROLE :"role";
