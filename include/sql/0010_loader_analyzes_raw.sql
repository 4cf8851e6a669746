-- A large pull refreshes the statistics of the partition it landed in: a build may follow at once, before autovacuum looks.
grant maintain on all tables in schema raw to tollhouse_loader;
