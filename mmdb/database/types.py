"""pgvector's types, as psycopg reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # else imported where they are used: `import mmdb` comes here and is to be quick
    import psycopg


def register_types(connection: psycopg.Connection[Any]) -> bool:
    """Have `connection` read and write pgvector's vector and halfvec; False where the database lacks the extension.

    The extension need not be on the search path. Leaves the connection in or outside a transaction, as it came.
    """
    from pgvector.psycopg.halfvec import register_halfvec_info
    from pgvector.psycopg.vector import register_vector_info
    from psycopg.rows import tuple_row
    from psycopg.sql import Identifier
    from psycopg.types import TypeInfo

    from mmdb.database.statements import statement

    with connection.transaction():
        cursor = connection.cursor(row_factory=tuple_row)
        found = cursor.execute(statement("database", "extension_schema"), {}).fetchone()
        if found is None:
            return False
        for name, register in (("vector", register_vector_info), ("halfvec", register_halfvec_info)):
            info = TypeInfo.fetch(connection, Identifier(found[0], name))
            assert info is not None
            register(connection, info)
    return True
