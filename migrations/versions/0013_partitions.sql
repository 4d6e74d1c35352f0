-- Which partitions an embedding has seen: one that comes later may bring vectors of former sources.

alter table mmdb.embeddings add column known_triggers oid[];
comment on column mmdb.embeddings.known_triggers is
    'The triggers of its partitions when it was declared or refreshed: each ATTACH PARTITION makes a new one. '
    'NULL where an earlier mmdb did that.';
