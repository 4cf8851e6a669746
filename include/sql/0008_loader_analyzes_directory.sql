-- A load of the directory refreshes its statistics: a build may follow at once, before autovacuum looks.
grant maintain on all tables in schema directory to tollhouse_loader;
