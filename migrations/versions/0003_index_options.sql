-- How the HNSW index of an embedding is built, kept for the day on which it is built again.

alter table mmdb.embeddings add column index_options jsonb not null default '{}';
comment on column mmdb.embeddings.index_options is 'The HNSW index: m, ef_construction, or type none. Empty: an index with pgvector''s own parameters.';
