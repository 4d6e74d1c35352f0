-- The models that embeddings and queries may name: declared here, and checked wherever one is used.

create or replace function mmdb.add_model(
  name text, backend text, model text, dimensions integer, modalities text[], identity text,
  distance text default 'cosine', revision text default null, query_prompt text default null,
  document_prompt text default null, options jsonb default '{}'
) returns mmdb.models
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  old mmdb.models;
  made mmdb.models;
begin
  select * into old from mmdb.models m where m.name = add_model.name for update;
  if old.identity <> add_model.identity
     and exists (select from mmdb.embeddings e where e.model = add_model.name) then
    raise exception 'model "%" is in use with identity "%" and cannot become "%"', name, old.identity, identity
      using errcode = 'object_in_use',
            hint = 'vectors of two models cannot be compared: add the new one under another name';
  end if;
  insert into mmdb.models as m (name, backend, model, revision, dimensions, modalities, distance,
                                query_prompt, document_prompt, options, identity)
  values (add_model.name, add_model.backend, add_model.model, add_model.revision, add_model.dimensions,
          add_model.modalities, add_model.distance, add_model.query_prompt, add_model.document_prompt,
          add_model.options, add_model.identity)
  on conflict on constraint models_pkey do update
    set (backend, model, revision, dimensions, modalities, distance, query_prompt, document_prompt, options, identity)
      = (excluded.backend, excluded.model, excluded.revision, excluded.dimensions, excluded.modalities,
         excluded.distance, excluded.query_prompt, excluded.document_prompt, excluded.options, excluded.identity)
  returning m.* into made;
  if old.identity <> made.identity then
    delete from mmdb.requests q where q.model = made.name;
  end if;
  return made;
end
$$;
comment on function mmdb.add_model(text, text, text, integer, text[], text, text, text, text, text, jsonb) is
  'Register a model. Its identity is fixed once an embedding uses it; an unused one is replaced.';

create or replace function mmdb.remove_model(name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  users constant text := (select string_agg(format('%s.%I', e.relation, e.name), ', ' order by e.id)
                          from mmdb.embeddings e where e.model = remove_model.name);
begin
  if users is not null then
    raise exception 'model "%" is in use by %', name, users
      using errcode = 'object_in_use', hint = 'drop these embeddings first: mmdb.drop_embedding(relation, name)';
  end if;
  if name = coalesce(mmdb.setting('default_model'), 'lite') then
    raise exception 'model "%" is the default model', name
      using errcode = 'object_in_use', hint = 'choose another one first: mmdb.set_setting(''default_model'', …)';
  end if;
  delete from mmdb.models m where m.name = remove_model.name;
  if not found then
    raise exception 'model "%" does not exist', name
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  end if;
  delete from mmdb.requests q where q.model = remove_model.name;
end
$$;
comment on function mmdb.remove_model(text) is
  'Forget a model that no embedding uses, and the queries that it has embedded.';

create or replace function mmdb.check_model(model text, modalities text[]) returns mmdb.models
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  chosen mmdb.models;
  missing text;
begin
  select m.* into chosen from mmdb.models m where m.name = check_model.model;
  select u.modality into missing from unnest(check_model.modalities) with ordinality u(modality, place)
  where u.modality <> all(chosen.modalities) order by u.place limit 1;
  if chosen.name is null then
    raise exception 'model "%" does not exist', model
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them; `mmdb models` does too';
  elsif missing is not null then
    raise exception 'model "%" does not embed modality "%"', model, missing
      using errcode = 'feature_not_supported', hint = format('it embeds: %s', array_to_string(chosen.modalities, ', '));
  elsif chosen.dimensions > 4000 then
    raise exception 'model "%" has % dimensions, more than the 4000 that a halfvec index takes',
                    model, chosen.dimensions
      using errcode = 'program_limit_exceeded', hint = 'choose a model or a dimensions option with fewer';
  end if;
  return chosen;
end
$$;
comment on function mmdb.check_model(text, text[]) is 'The model, if it exists and embeds all of these modalities.';
