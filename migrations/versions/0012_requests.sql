-- One row is both the request and, once a worker has answered, the answer. Unlogged: a crash may forget it.
create unlogged table mmdb.requests (
    token       uuid primary key default gen_random_uuid(),
    task        text not null constraint requests_task check (task in ('embedding')),
    model       text not null,
    hash        bytea,
    content     text,
    data        bytea,
    parameters  jsonb,
    asked_at    timestamptz not null default clock_timestamp(),
    worker      integer,
    embedding   real[],
    answer      jsonb,
    error       text,
    answered_at timestamptz,
    constraint requests_key unique (model, hash)
);
comment on table mmdb.requests is
    'What backends ask of workers, and the answers: a vector for the task embedding, jsonb for others. The text or the '
    'bytes are kept only until the answer is there. An answer with a hash is cached; one without is deleted once read.';
comment on column mmdb.requests.hash is
    'Of the text or the bytes: an equal request of the same model has the same answer. NULL where that is not so.';
create index requests_waiting on mmdb.requests (model, asked_at) where answered_at is null;
create index requests_answered on mmdb.requests (answered_at) where answered_at is not null;

-- The vectors of texts, whose hash is the same as it was, and what is waiting.
insert into mmdb.requests (token, task, model, hash, content, data, asked_at, embedding, answered_at)
select q.token, 'embedding', q.model, q.hash, q.content, q.data, q.asked_at, q.embedding, q.answered_at
from mmdb.queries q
where q.error is null and (q.modality = 'text' or q.answered_at is null);

-- Neither dropped nor emptied: a search that runs now would wait for this transaction, and then not find the table by
-- its name; a worker would wait for the rows. The next sweep of a worker empties it.
comment on table mmdb.queries is
    'For statements that were running when mmdb.requests took its place. A later migration drops it.';
