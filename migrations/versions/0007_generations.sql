-- Changing the model: a second generation beside the one that serves.

alter table mmdb.embeddings add column generation_of bigint references mmdb.embeddings (id) on delete set null;
alter table mmdb.embeddings add column column_place smallint;
alter table mmdb.embeddings add column switched_at timestamptz;
comment on column mmdb.embeddings.generation_of is
  'The embedding that serves searches; this one has the same sources and another model, and takes no part in searches.';
comment on column mmdb.embeddings.column_place is 'Where the search functions list the column, after another one took its name; else its number.';
comment on column mmdb.embeddings.switched_at is 'When this generation stopped serving; NULL where it never did, or serves.';
create unique index embeddings_generation_of on mmdb.embeddings (generation_of);
