"""What an embedding is declared with: one value that the ORM, Alembic, the command line and the database take alike.

    embedding("title", …)   op.add_embedding("products", "title", …)   `mmdb add products title …`
              |                            |                                   |
              '--------- Declaration: a field for each option ----------------'
                               |                         ^
    mmdb.add_embedding(relation, declaration jsonb)   mmdb.declarations()

A field says beside its type all that anyone has to know of the option: what it means, what holds where it is not given,
how two values are compared, what is wrong with one. To add an option is to add a field, and for type checkers, which
read no fields, a line of `Options`. Nothing here knows SQLAlchemy, typer or a database.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, TypedDict, get_args

from mmdb.errors import DeclarationError

DEFAULT_MODEL = "lite"
"""The model of a mapped class that names none. Elsewhere the database's own default is taken."""

Modality = Literal["text", "image"]
Distance = Literal["cosine", "l2", "inner_product"]
OnChange = Literal["unset", "keep"]
Columns = Literal["all", "without vectors"]
IndexOptions = Mapping[str, Any]
"""`m` and `ef_construction`, whole numbers, and `quantization`, "binary"."""


class Options(TypedDict, total=False):
    """The options as type checkers see them: `**options: Unpack[Options]`. Sources and name stand before them."""

    model: str
    modality: Modality | None
    distance: Distance | None
    index: bool | IndexOptions
    prefix: str | None
    weights: Sequence[float] | None
    on_change: OnChange | None
    columns: Columns | None
    storage: Literal["column"] | None


@dataclass(frozen=True)
class Flag:
    """How the command line gives an option."""

    name: str = ""
    """The option's own unless given."""
    type: Any = str
    meaning: str = ""
    """The option's own unless given."""
    metavar: str | None = None
    read: Callable[[Any], Any] = lambda given: given
    """From what is given to the value of the option."""


@dataclass(frozen=True)
class Option:
    """What is to be known of an option beside its name and type."""

    meaning: str
    """For the command line's help."""
    default: Any = None
    """What holds where it is not given, or a function of the declaration; None where the database finds it out."""
    usual: Callable[[Declaration, str], Any] | None = None
    """What the database finds out for most tables, given what holds and the table's name: it need not be said."""
    same: Callable[[Any, Any], bool] = lambda wanted, there: wanted in (None, there)
    """Whether what is declared (None: nothing) agrees with what the database has."""
    check: Callable[[Declaration], None] | None = None
    """Raises DeclarationError for a value that no database would take."""
    keyword: str = ""
    """The argument in Python; the option's own name unless given."""
    read: Callable[[Any], Any] = lambda given: given
    """From the argument, or from json, to the value of the option."""
    write: Callable[[Any], Any] = lambda value: value
    """From the value to the argument, None where that need not be given."""
    flag: Flag | None = field(default_factory=Flag)
    """None: not on the command line."""


def option(meaning: str, default: Any = None, **known: Any) -> Any:
    """A field of a declaration, which is None where the option is not given."""
    return field(default=None, metadata={"option": Option(meaning, default, **known)})


def _exactly(wanted: Any, there: Any) -> bool:
    return bool(wanted == there)


def _whatever(_wanted: Any, _there: Any) -> bool:
    return True


def _where_given(wanted: IndexOptions | None, there: IndexOptions | None) -> bool:
    return all((there or {}).get(name) == value for name, value in (wanted or {}).items())


def _joined(declaration: Declaration) -> str:
    return "_".join(declaration.sources)


def _usual_modality(declaration: Declaration, _relation: str) -> str | None:
    """Text; of sources with weights each has that of its column."""
    return "text" if declaration.weights is None else declaration.modality


def _numbers(weights: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if weights is None else tuple(float(weight) for weight in weights)


def _index_options(index: bool | IndexOptions | None) -> IndexOptions | None:
    """From the argument `index`."""
    if isinstance(index, Mapping):
        return dict(index) or None
    return {"type": "none"} if index is False else None


def _index(options: IndexOptions) -> bool | IndexOptions | None:
    """The argument `index`."""
    if options.get("type") == "none":
        return False
    return {name: value for name, value in options.items() if name != "type"} or None


def _check_sources(declaration: Declaration) -> None:
    sources, example = declaration.sources, 'as in: photo_embedding = embedding("photo")'
    if not sources:
        raise DeclarationError("an embedding needs a source", hint=example)
    if any(not isinstance(source, str) for source in sources):
        raise DeclarationError("a source of an embedding is given by its name", hint=example)
    twice = next((source for source in sources if sources.count(source) > 1), None)
    if twice is not None:
        raise DeclarationError(
            f'source "{twice}" is named twice', hint="name each column once; weights=(…) makes one count for more"
        )


def _check_distance(declaration: Declaration) -> None:
    if declaration.distance not in (None, *get_args(Distance)):
        raise DeclarationError(
            f'unknown distance "{declaration.distance}"', hint=f"distances: {', '.join(get_args(Distance))}"
        )


def _one_of(name: str, kind: Any) -> Callable[[Declaration], None]:
    """A check that an option has one of a few values."""
    known = get_args(kind)

    def check(declaration: Declaration) -> None:
        if (given := getattr(declaration, name)) not in (None, *known):
            raise DeclarationError(f'{name} is "{given}"', hint=f"expected {' or '.join(known)}")

    return check


def _check_weights(declaration: Declaration) -> None:
    if declaration.weights is None:
        return
    given, sources = len(declaration.weights), len(declaration.sources)
    if sources < 2 or given != sources:
        raise DeclarationError(
            f"there are {given} weights for {sources} sources",
            hint='one for each of several: embedding("title", "photo", weights=(0.7, 0.3))',
        )
    for weight in declaration.weights:
        if not (math.isfinite(weight) and weight > 0):
            raise DeclarationError(
                f'weight "{weight}" is not a positive number', hint="leave a source out that is to have no weight"
            )
    if declaration.modality is not None:
        raise DeclarationError(
            f'sources with weights take no modality "{declaration.modality}"',
            hint="it is that of each column: bytea is an image; pictures by URI take no weights",
        )


@dataclass(frozen=True)
class Declaration:
    """The options of one embedding, None for each that is not given; as the database has it, all of them are.

    The order is the one in which they are written.
    """

    sources: tuple[str, ...] = field(
        metadata={"option": Option("The columns.", same=_exactly, check=_check_sources, read=tuple, flag=None)}
    )
    """Names of columns. Of a mapped class's attributes, until it is mapped."""
    name: str | None = option("The embedding's name. Default: the sources', joined by _.", _joined)
    model: str | None = option("A name out of `mmdb models`. Default: lite.")
    modality: str | None = option(
        "text or image; image for a text column that holds URIs of pictures.", usual=_usual_modality
    )
    distance: str | None = option(
        "Refuse a model that has another one.",
        "cosine",
        usual=lambda there, _relation: there.distance,
        same=_whatever,  # it is the model's, and models are compared
        check=_check_distance,
        flag=None,
    )
    index_options: IndexOptions | None = option(  # noqa: RUF009 - it makes a field
        "m and ef_construction of the HNSW index, its quantization, or no index.",
        {},
        same=_where_given,
        keyword="index",
        read=_index_options,
        write=_index,
        flag=Flag(
            "quantization",
            meaning="binary: the HNSW index has the signs of the numbers alone, and a fourth of the size.",
            read=lambda given: {"quantization": given},
        ),
    )
    prefix: str | None = option(
        "Stands for the table in function names. Default: the table's name.",
        usual=lambda _there, relation: relation,
    )
    weights: tuple[float, ...] | None = option(
        "One for each of several sources, which are then embedded each by itself.",
        same=_exactly,
        check=_check_weights,
        read=_numbers,
        flag=Flag("weight", list[float], metavar="NUMBER", read=_numbers),
    )
    on_change: str | None = option(
        "unset or keep: until it is embedded again, a row whose source changed is not found, or is found by its old "
        "vector. Default: unset.",
        "unset",
        check=_one_of("on_change", OnChange),
    )
    columns: str | None = option(
        "What search functions return of a row: all, or without vectors (this embedding's is left out). Default: all.",
        "all",
        check=_one_of("columns", Columns),
    )
    storage: str | None = option("Where the vectors are.", "column", flag=None)

    @classmethod
    def of(cls, sources: Sequence[str], name: str | None = None, **keywords: Any) -> Declaration:
        """From arguments in Python. Raises TypeError for one that is no option."""
        known = {known.keyword: own_name for own_name, known in options().items()}
        unknown = next((keyword for keyword in keywords if keyword not in known), None)
        if unknown is not None:
            raise TypeError(f"an embedding has no option {unknown!r}; it has: {', '.join(known)}")
        given = {known[keyword]: value for keyword, value in keywords.items()}
        return cls._read({"sources": sources, "name": name, **given})

    @classmethod
    def from_json(cls, written: Mapping[str, Any] | str) -> Declaration:
        """From what the database says, as jsonb or, through some drivers, its text."""
        return cls._read(json.loads(written) if isinstance(written, str) else written)

    @classmethod
    def from_flags(cls, sources: Sequence[str], given: Mapping[str, Any]) -> Declaration:
        """From what the command line gives, by the names of its flags."""
        flags = {name: known.flag for name, known in options().items() if known.flag is not None}
        said = {name: flag for name, flag in flags.items() if given.get(flag.name) not in (None, [])}
        return cls._read({"sources": sources, **{name: flag.read(given[flag.name]) for name, flag in said.items()}})

    @classmethod
    def _read(cls, values: Mapping[str, Any]) -> Declaration:
        given = {name: values[name] for name in options() if values.get(name) is not None}
        return cls(**{name: options()[name].read(value) for name, value in given.items()})

    @property
    def called(self) -> str:
        """The embedding's name, given or not."""
        return self.name or _joined(self)

    def to_json(self) -> str:
        """What is given, as `mmdb.add_embedding` takes it."""
        return json.dumps({name: _jsonable(value) for name, value in self._given().items()}, ensure_ascii=False)

    def keywords(self) -> dict[str, Any]:
        """The arguments in Python that say it, without the sources and those that have their default."""
        said = {name: value for name, value in self._given().items() if value != self._default(name)}
        written = {options()[name].keyword: options()[name].write(value) for name, value in said.items()}
        return {keyword: value for keyword, value in written.items() if keyword != "sources" and value is not None}

    def check(self) -> Declaration:
        """Itself. Raises DeclarationError for an option that no database would take."""
        for known in options().values():
            if known.check is not None:
                known.check(self)
        return self

    def filled(self) -> Declaration:
        """With the default of each option that is not given and has one."""
        missing = {name: self._default(name) for name in options() if getattr(self, name) is None}
        return replace(self, **missing)

    def differences(self, there: Declaration) -> list[str]:
        """The options in which `there`, as the database has it, is not what is declared here.

        An option that came after `there` was declared has its default in it.
        """
        found = there.filled()
        return [name for name, known in options().items() if not known.same(getattr(self, name), getattr(found, name))]

    def as_said(self, relation: str) -> Declaration:
        """Of what the database has: without what it found out by itself, on the table `relation`."""
        found = {name: known.usual(self, relation) for name, known in options().items() if known.usual is not None}
        unsaid: dict[str, Any] = {name: None for name, value in found.items() if value == getattr(self, name)}
        return replace(self, **unsaid)

    def _given(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in options()}
        return {name: value for name, value in values.items() if value is not None}

    def _default(self, name: str) -> Any:
        default = options()[name].default
        return default(self) if callable(default) else default


def _jsonable(value: Any) -> Any:
    """Numbers that JSON does not have go as texts, for the database to refuse by name."""
    if isinstance(value, tuple):
        return [_jsonable(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@cache
def options() -> dict[str, Option]:
    """Every option by its name, complete and in the order in which they are written."""
    return {known.name: _complete(known.name, known.metadata["option"]) for known in fields(Declaration)}


def _complete(name: str, known: Option) -> Option:
    """With the names and texts that are its own unless others are given."""
    flag = known.flag and replace(known.flag, name=known.flag.name or name, meaning=known.flag.meaning or known.meaning)
    return replace(known, keyword=known.keyword or name, flag=flag)
