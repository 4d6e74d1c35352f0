-- An index of signs is walked in the order of the bits that differ.

alter type mmdb.search_source add attribute walk text;
