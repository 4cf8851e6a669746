-- Roles, schemas and extensions. Run by the owner of the database, who needs CREATEROLE and no superuser.
-- Passwords are set by `tollhouse migrate` from the environment, never in a file.

create extension if not exists btree_gist;

do $$
declare
    role_name text;
begin
    foreach role_name in array array[
        'tollhouse_loader', 'tollhouse_dbt', 'tollhouse_billing', 'analyst', 'analyst_full'
    ] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
end
$$;

create schema raw;
create schema directory;
create schema billing;

-- dbt owns what it rebuilds.
do $$
begin
    execute format('grant create on database %I to tollhouse_dbt', current_database());
end
$$;

comment on schema raw is 'Tickets verbatim, as every PBX handed them over, and the ledger of pulls.';
comment on schema directory is 'Who owns what, dated: pbxs, services, extensions, number ranges, tariffs.';
comment on schema billing is 'Issued invoices, immutable (rule I1).';
