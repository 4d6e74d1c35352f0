select obj_description(to_regnamespace('shop'), 'pg_namespace') as edition, to_regnamespace('shop') is not null as present
