-- Embeddings over several sources, each embedded by itself and weighed.

alter table mmdb.embeddings add column weights double precision[];
alter table mmdb.embeddings add column source_modalities text[];
alter table mmdb.embeddings drop constraint embeddings_modality;
alter table mmdb.embeddings add constraint embeddings_modality check (modality in ('text', 'image', 'mixed'));
alter table mmdb.embeddings add constraint embeddings_weights check (
    (weights is null) = (source_modalities is null)
    and (weights is null or (cardinality(weights), cardinality(source_modalities)) = (cardinality(sources), cardinality(sources))));
alter table mmdb.embeddings add constraint embeddings_mixed check (modality <> 'mixed' or weights is not null);
comment on column mmdb.embeddings.weights is
  'One for each source: the vector is the weighted sum of theirs, of unit length. NULL: the sources are one, texts joined by line breaks.';
comment on column mmdb.embeddings.source_modalities is 'What each source holds, text or image, where they have weights.';
