-- What mmdb.clusters asks of a database, with the rights of whoever asks.

-- name: source
select mmdb.relation_sql(e.relation) as relation, mmdb.rows_sql(e.relation) as rows, e.column_name, e.column_type,
       e.name, e.dimensions, e.vector_type,
       array(select k.name from mmdb.key_columns(e.relation) k order by k.place) as key,
       mmdb.free_name(e.relation, 'cluster') as cluster, mmdb.free_name(e.relation, 'distance') as distance,
       mmdb.table_name(%(into)s) as into_table, mmdb.table_name(%(into)s, '_centroids') as centroids_table
from mmdb.resolved(mmdb.embedding_of(%(relation)s::text::regclass, %(name)s)) e

-- name: found
select t.name, to_regclass(t.name) is not null as present,
       coalesce(obj_description(to_regclass(t.name), 'pg_class') like 'Clusters of %%', false) as ours
from unnest(array[%(into_table)s, %(centroids_table)s]::text[]) t(name)

-- name: drop
drop table if exists {into_table}, {centroids_table}

-- name: create
create table {into_table} as
select {key}, null::integer as {cluster}, null::double precision as {distance} from {relation} limit 0

-- name: create_centroids
create table {centroids_table} (
  cluster integer primary key, rows bigint not null, distance double precision, centroid {column_type} not null
)

-- name: constrain
alter table {into_table} add primary key ({key}), alter {cluster} set not null, alter {distance} set not null

-- name: index
create index on {into_table} ({cluster}, {distance})

-- name: comment
comment on table {table} is {comment}

-- name: analyze
analyze {into_table}, {centroids_table}

-- name: vectors
select {column} from {rows} where mmdb.has_direction({column}) order by {key}

-- name: rows
select {texts}, {column} from {rows} where mmdb.has_direction({column}) order by {key}

-- name: copy
copy {into_table} from stdin

-- name: copy_centroids
copy {centroids_table} from stdin
