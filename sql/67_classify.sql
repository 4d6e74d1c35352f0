-- What a text or picture shows: mmdb.classify, with the caller's rights.
--
-- Zero-shot classification (Radford et al. 2021, arXiv:2103.00020): the softmax of the cosine similarities with the
-- labels' own vectors, times a scale. It is inlined, so that over many rows the labels are embedded once a statement:
-- hence no pinned search_path, and every name qualified.

create or replace function mmdb.check_labels(labels text[], vectors integer) returns text[]
language plpgsql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  twice text;
begin
  if coalesce(cardinality(labels), 0) = 0 then
    raise exception 'there are no labels'
      using errcode = 'invalid_parameter_value', hint = 'as in array[''a cat'', ''a dog'']';
  elsif array_position(labels, null) is not null then
    raise exception 'label % is null', array_position(labels, null) using errcode = 'null_value_not_allowed';
  elsif cardinality(labels) is distinct from vectors then
    raise exception 'there are % labels and % vectors of labels', cardinality(labels), coalesce(vectors, 0)
      using errcode = 'invalid_parameter_value', hint = 'each label needs its vector, in the same order';
  end if;
  select min(l.label) into twice from (select label from unnest(labels) label group by label having count(*) > 1) l;
  if twice is not null then
    raise exception 'label "%" is there twice', twice
      using errcode = 'invalid_parameter_value',
            hint = 'two of the same would share its probability: give each label once';
  end if;
  return labels;
end
$$;
comment on function mmdb.check_labels(text[], integer) is 'The labels, if they are such and each has its vector.';

create or replace function mmdb.embed_labels(labels text[], model text default null) returns @extschema:vector@.vector[]
language sql stable parallel restricted security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(mmdb.embed(l.label, model) order by l.place)
  from unnest(mmdb.check_labels(labels, cardinality(labels))) with ordinality l(label, place)
$$;
comment on function mmdb.embed_labels(text[], text) is
  'The vectors of labels by a model, in their order: what mmdb.classify compares with. Give it longer texts than the '
  'labels that you want to read: mmdb.classify(v, array[''cat'', ''dog''], (select mmdb.embed_labels(array[''a photo '
  'of a cat'', ''a photo of a dog'']))).';

-- For lite 20, by `python -m bench.classify`: with it the log loss is smallest, within a hundredth, and the mean
-- probability of the first label is near to how often it is right. For CLIP and its kind 100, with which they are
-- trained.
create or replace function mmdb.label_scale(model text default null) returns double precision
language sql stable parallel restricted security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((m.options ->> 'logit_scale')::double precision, case m.backend when 'lite' then 20 else 100 end)
  from mmdb.models m
  where m.name = coalesce(label_scale.model, mmdb.setting('default_model'), 'lite')
$$;
comment on function mmdb.label_scale(text) is
  'By what mmdb.classify multiplies a model''s similarities: the option logit_scale of the model, else 20 for lite '
  'and 100 for others.';

create or replace function mmdb.label_probabilities(
  embedding @extschema:vector@.vector, label_vectors @extschema:vector@.vector[], scale double precision
) returns double precision[]
language plpgsql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  similarities double precision[];
begin
  if scale is null or not (scale > 0 and scale < 'infinity') then
    raise exception 'the scale is %, expected a positive number', scale using errcode = 'invalid_parameter_value';
  elsif @extschema:vector@.vector_dims(embedding) <> @extschema:vector@.vector_dims(label_vectors[1]) then
    raise exception 'the vector has % dimensions, and those of the labels have %',
                    @extschema:vector@.vector_dims(embedding), @extschema:vector@.vector_dims(label_vectors[1])
      using errcode = 'data_exception',
            hint = 'classify by the model that made the vector: model => mmdb.model_of(''TABLE'', ''NAME'')';
  end if;
  select array_agg(1 - (l.vector operator(@extschema:vector@.<=>) embedding) order by l.place) into similarities
  from unnest(label_vectors) with ordinality l(vector, place);
  if array_position(similarities, null) is not null then
    raise exception 'the vector of label % is null', array_position(similarities, null)
      using errcode = 'null_value_not_allowed';
  elsif 'NaN' = any(similarities) then
    raise exception 'the vector, or that of a label, has no direction: all of it is zero'
      using errcode = 'data_exception', hint = 'leave such rows out: where mmdb.has_direction(…)';
  end if;
  -- PostgreSQL refuses to compute what is smaller than a double.
  return (select array_agg(w.weight / w.total order by w.place)
          from (select e.place, e.weight, sum(e.weight) over () as total
                from (select s.place, exp(greatest(-600, scale * (s.similarity - max(s.similarity) over ()))) as weight
                      from unnest(similarities) with ordinality s(similarity, place)) e) w);
end
$$;
comment on function mmdb.label_probabilities(
  @extschema:vector@.vector, @extschema:vector@.vector[], double precision
) is
  'The softmax of a vector''s cosine similarities with labels, times the scale.';

create or replace function mmdb.classify(
  embedding @extschema:vector@.vector, labels text[], model text default null, scale double precision default null
) returns table (label text, probability double precision)
language sql stable parallel restricted security invoker rows 5
as $$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest($2),
    pg_catalog.unnest(mmdb.label_probabilities(
      $1, (select mmdb.embed_labels($2, $3)), coalesce($4, (select mmdb.label_scale($3)))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$$;
comment on function mmdb.classify(@extschema:vector@.vector, text[], text, double precision) is
  'Which of these labels a vector comes nearest to, the most probable first: zero-shot, nothing is trained. The model '
  'is the one that made the vector (the default model where none is named). No rows for NULL. Over a table: from '
  'posters p, mmdb.classify(p.photo_embedding, array[''a cat'', ''a castle'']) c; the labels are then embedded once, '
  'if they are the same for every row. Scale: see mmdb.label_scale; a larger one makes the probabilities more '
  'decided, and leaves their order.';

create or replace function mmdb.classify(
  embedding @extschema:vector@.halfvec, labels text[], model text default null, scale double precision default null
) returns table (label text, probability double precision)
language sql stable parallel restricted security invoker rows 5
as $$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest($2),
    pg_catalog.unnest(mmdb.label_probabilities(
      $1::@extschema:vector@.vector, (select mmdb.embed_labels($2, $3)), coalesce($4, (select mmdb.label_scale($3)))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$$;
comment on function mmdb.classify(@extschema:vector@.halfvec, text[], text, double precision) is
  'The same for a halfvec, as embeddings are stored.';

create or replace function mmdb.classify(
  embedding @extschema:vector@.vector, labels text[], label_vectors @extschema:vector@.vector[],
  scale double precision default null
) returns table (label text, probability double precision)
language sql stable parallel restricted security invoker rows 5
as $$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest((select mmdb.check_labels($2, pg_catalog.cardinality($3)))),
    pg_catalog.unnest(mmdb.label_probabilities($1, $3, coalesce($4, (select mmdb.label_scale()))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$$;
comment on function mmdb.classify(@extschema:vector@.vector, text[], @extschema:vector@.vector[], double precision) is
  'The same with vectors of the labels that are there already: of mmdb.embed_labels, or centroids of rows that '
  'somebody has labelled. The scale is that of the default model unless given.';

create or replace function mmdb.classify(
  embedding @extschema:vector@.halfvec, labels text[], label_vectors @extschema:vector@.vector[],
  scale double precision default null
) returns table (label text, probability double precision)
language sql stable parallel restricted security invoker rows 5
as $$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest((select mmdb.check_labels($2, pg_catalog.cardinality($3)))),
    pg_catalog.unnest(mmdb.label_probabilities(
      $1::@extschema:vector@.vector, $3, coalesce($4, (select mmdb.label_scale()))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$$;
comment on function mmdb.classify(@extschema:vector@.halfvec, text[], @extschema:vector@.vector[], double precision) is
  'The same for a halfvec, with vectors of the labels that are there already.';
