-- The services' roles, to be run by a superuser in the exchange's database, as often as needed. Each role has the name
-- of the service's user and no password (`peer` authentication).
--   peakedex-indexer   owns the tables, migrates them and writes the ledger
--   peakedex-api       reads
--   peakedex-backup    reads
--   peakedex-payouts   reads, and writes the payout tables (which the indexer's migrations create)

-- The indexer owns the schema and the database's settings: the superuser must not call functions that it defined.
SET search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['peakedex-indexer', 'peakedex-api', 'peakedex-backup', 'peakedex-payouts'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
    END LOOP;
    EXECUTE format('ALTER DATABASE %I OWNER TO "peakedex-indexer"', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO "peakedex-api", "peakedex-backup", "peakedex-payouts"', current_database());
END
$$;

ALTER SCHEMA public OWNER TO "peakedex-indexer";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO "peakedex-api", "peakedex-backup", "peakedex-payouts";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO "peakedex-api", "peakedex-backup", "peakedex-payouts";
ALTER DEFAULT PRIVILEGES FOR ROLE "peakedex-indexer" IN SCHEMA public
    GRANT SELECT ON TABLES TO "peakedex-api", "peakedex-backup", "peakedex-payouts";
ALTER ROLE "peakedex-api" SET default_transaction_read_only = on;
ALTER ROLE "peakedex-backup" SET default_transaction_read_only = on;

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND starts_with(tablename, 'payout_')
    LOOP
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON public.%I TO "peakedex-payouts"', name);
    END LOOP;
END
$$;
