-- Two roles and their database: `gqlapi_owner` owns the tables and migrates, `gqlapi` serves and may only read and write
-- rows. Run it once as a superuser; it reads the passwords from the environment:
--
--   GQLAPI_OWNER_PASSWORD=… GQLAPI_SERVER_PASSWORD=… psql --set=ON_ERROR_STOP=1 --file=roles.sql
\getenv owner_password GQLAPI_OWNER_PASSWORD
\getenv server_password GQLAPI_SERVER_PASSWORD
CREATE ROLE gqlapi_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE gqlapi LOGIN PASSWORD :'server_password';
CREATE DATABASE gqlapi OWNER gqlapi_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE gqlapi FROM PUBLIC;
GRANT CONNECT ON DATABASE gqlapi TO gqlapi;
\connect gqlapi
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO gqlapi_owner;
-- For the tables of later migrations as well.
ALTER DEFAULT PRIVILEGES FOR ROLE gqlapi_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gqlapi;
ALTER DEFAULT PRIVILEGES FOR ROLE gqlapi_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO gqlapi;
