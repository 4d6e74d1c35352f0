-- What becomes of a vector whose source changed: unset at once, or kept until the next one, and marked.

alter table mmdb.embeddings add column stale_column text;
alter table mmdb.embeddings add column stale_number smallint;
comment on column mmdb.embeddings.stale_column is
  'The column that marks rows which keep the vector of an earlier source (on_change => ''keep''); NULL where a changed source unsets it.';
comment on column mmdb.embeddings.stale_number is 'Its number, by which it is found after a rename.';
