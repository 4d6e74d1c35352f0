"""The tables. Everything that mmdb needs to know stands beside the columns that it is about."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, MetaData, Numeric, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from mmdb.orm import embedding


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    products: Mapped[list[Product]] = relationship(back_populates="category")


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    photo: Mapped[bytes | None] = mapped_column(deferred=True)
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2), index=True)
    stock: Mapped[int] = mapped_column(default=0)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"), index=True)
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # Two searches: by what is said of a product, and by what it looks like.
    text_embedding = embedding("title", "description", model="lite")
    photo_embedding = embedding("photo", model="lite")

    category: Mapped[Category | None] = relationship(back_populates="products")
