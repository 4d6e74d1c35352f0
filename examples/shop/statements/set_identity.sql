select setval(pg_get_serial_sequence(%(table)s, 'id'), %(last)s)
