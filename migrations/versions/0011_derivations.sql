-- A row of mmdb.embeddings says what is derived, and of what type and width; nobody reads that out of a text any more.

alter table mmdb.embeddings
    add column kind text not null default 'embedding',
    add column vector_type text,
    add column dimensions integer,
    add column options jsonb not null default '{}',
    add column relation_name text,
    add constraint embeddings_kind check (kind in ('embedding')),
    add constraint embeddings_options check (jsonb_typeof(options) = 'object');
update mmdb.embeddings e
set vector_type = case when e.column_type like '%halfvec(%' then 'halfvec' else 'vector' end,
    dimensions = substring(e.column_type from '\((\d+)\)$')::integer,
    relation_name = coalesce((select format('%I.%I', n.nspname, c.relname)
                              from pg_class c join pg_namespace n on n.oid = c.relnamespace
                              where c.oid = e.relation), '');
alter table mmdb.embeddings
    alter column vector_type set not null,
    alter column dimensions set not null,
    alter column relation_name set not null,
    add constraint embeddings_vector_type check (vector_type in ('halfvec', 'vector'));
comment on column mmdb.embeddings.kind is 'What is derived: an embedding, one vector a row.';
comment on column mmdb.embeddings.vector_type is 'pgvector''s type of the column: halfvec or vector.';
comment on column mmdb.embeddings.dimensions is 'How many numbers a vector has.';
comment on column mmdb.embeddings.relation_name is 'What the table was called when its functions were made.';
comment on column mmdb.embeddings.column_type is 'The type and width of a vector, as its column declares them.';
comment on column mmdb.embeddings.options is 'What it was declared with besides: options that have no column here.';

-- What a search is made of. Functions that are made for tables hold it as jsonb, so that an attribute may come to these
-- types. mmdb.search_source and mmdb.search_leg stay as they are for functions that an earlier mmdb made: those hold
-- records of them as text, which one attribute more would make unreadable.
create type mmdb.search_pieces as (
    relation regclass,
    source   text,    -- the table under the name p
    key      text,    -- the key of a row as text
    columns  text,    -- the columns of the key
    one_key  boolean, -- the key is one column
    vector   text,    -- the embedding of a row
    distance text,    -- from the vector $1
    walk     text,    -- what a walk of the index is ordered by: the distance, or the bits that differ
    present  text,    -- the row has an embedding
    within   text     -- the row's key is one of the texts $2
);
comment on type mmdb.search_pieces is 'The pieces of SQL that a search of one embedding is made of.';

create type mmdb.leg as (
    name      text,
    pieces    mmdb.search_pieces, -- for keywords without a vector
    matches   text,               -- of keywords: the row matches the words in $1; null for an embedding
    closeness text                -- of keywords: how well
);
comment on type mmdb.leg is 'One of the searches that T_search fuses.';
