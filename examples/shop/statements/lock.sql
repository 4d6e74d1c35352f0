select pg_advisory_xact_lock(hashtext('mmdb demo: load the poster shop'))
