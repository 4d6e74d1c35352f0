-- What the ORM layer and Alembic's autogenerate ask, through whatever driver the application uses: parameters as :name.

-- name: has_mmdb
select to_regproc('mmdb.declarations') is not null

-- name: declarations
select d.schema, d.relation_name, d.name, d.column_name, d.declaration
from mmdb.declarations() d

-- name: own_indexes
select o.schema, o.name from mmdb.own_indexes() o

-- name: own_columns
select o.schema, o.relation_name, o.name from mmdb.own_columns() o

-- name: out_of_date
select n.nspname as schema, c.relname as relation_name
from mmdb.embeddings e join pg_class c on c.oid = e.relation join pg_namespace n on n.oid = c.relnamespace
where mmdb.is_out_of_date(e)

-- name: keywords
select n.nspname as schema, c.relname as relation_name, w.name, w.columns, w.language, (
    select array_agg(distinct a.attname::text)
    from pg_depend d
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attnum > 0
    where d.classid = 'pg_class'::regclass and d.objid = mmdb.made_index(w)
      and d.refclassid = 'pg_class'::regclass and d.refobjid = w.relation) as indexed
from mmdb.keywords w join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace

-- name: generations
select n.nspname as schema, c.relname as relation_name, s.name, e.model
from mmdb.embeddings e join mmdb.embeddings s on s.id = e.generation_of
join pg_class c on c.oid = e.relation join pg_namespace n on n.oid = c.relnamespace

-- name: hnsw_index
select pg_get_indexdef(i.indexrelid, 1, true) as expression, a.attname as column_name, o.opcname as operator_class,
       coalesce(c.reloptions, '{}') as parameters, pg_get_expr(i.indpred, i.indrelid, true) as predicate
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_am m on m.oid = c.relam
join pg_opclass o on o.oid = i.indclass[0]
left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attnum > 0
where i.indexrelid = to_regclass(:index) and m.amname = 'hnsw'

-- name: column_types
select a.attname, a.atttypid from pg_attribute a
where a.attrelid = %(relation)s::regclass and a.attnum > 0 and not a.attisdropped
