-- What a generated search function says of its table, so that a search need not ask the catalogue.

create type mmdb.search_source as (
    relation regclass,
    source   text,  -- the table under the name p
    key      text,  -- the key of a row as text
    columns  text,  -- the columns of the key
    distance text,  -- from the vector $1
    present  text,  -- the row has an embedding
    within   text   -- the row's key is one of the texts $2
);
comment on type mmdb.search_source is 'The pieces of SQL that a search of one embedding is made of.';
