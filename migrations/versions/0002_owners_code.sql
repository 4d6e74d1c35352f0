-- What keeps the code of tables' owners apart from the worker in whose sessions it runs.

drop view if exists mmdb.status, mmdb.failures;
alter table mmdb.embeddings alter column id type bigint;
alter sequence mmdb.embeddings_id_seq as bigint;
alter table mmdb.leases alter column embedding type bigint;
alter table mmdb.progress alter column embedding type bigint;

-- What a worker shows to the functions of one embedding: a session in which the code of one table's owner runs can
-- call the functions of no other table.
create table mmdb.passes (
    embedding bigint primary key references mmdb.embeddings (id) on delete cascade,
    pass      uuid not null
);
comment on table mmdb.passes is 'The secret by which a worker calls the functions that were made for an embedding.';

alter table mmdb.embeddings add column pass_hash bytea;
insert into mmdb.passes select id, gen_random_uuid() from mmdb.embeddings;
update mmdb.embeddings e set pass_hash = sha256(convert_to(p.pass::text, 'UTF8')) from mmdb.passes p where p.embedding = e.id;
alter table mmdb.embeddings alter column pass_hash set not null;
comment on column mmdb.embeddings.pass_hash is 'SHA-256 of the pass that the functions of this embedding ask for.';

alter table mmdb.embeddings add column source_expressions oid[] not null default '{}';
comment on column mmdb.embeddings.source_expressions is
  'The generation expressions of the sources (pg_attrdef): another one makes another source of the same columns.';

create unlogged table mmdb.shared_sessions (
    pid    integer primary key,
    worker integer
);
comment on table mmdb.shared_sessions is
  'Server processes of workers in which code of tables'' owners has run: they may do no more than that embedding''s work.';

alter table mmdb.worker_sessions add column identities text[] not null default '{}';
comment on column mmdb.worker_sessions.identities is 'The identities of the models, in their order, as the worker loaded them.';

alter table mmdb.progress
    add column counted_at timestamptz,
    add column total bigint,
    add column embedded bigint,
    add column pending bigint,
    add column estimated boolean;
comment on column mmdb.progress.counted_at is 'When the worker counted the rows, for those whose session should not run the owner''s code.';
