"""The web application: products come in, and are found by words, by pictures and by their like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.database import database, make_engine
from catalog.models import Product
from mmdb.orm import distance

NO_WORKER = "55000"
"""SQLSTATE object_not_in_prerequisite_state: no worker runs that could embed a query."""
NO_PICTURE = "22000"
"""SQLSTATE data_exception: the query is nothing that the model can embed."""


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    database.engine = make_engine()
    yield
    await database.engine.dispose()


app = FastAPI(title="Catalogue", lifespan=lifespan)
Session = Annotated[AsyncSession, Depends(database.session)]


class NewProduct(BaseModel):
    title: str
    description: str
    price: Decimal
    stock: int = 0


class ShownProduct(NewProduct):
    model_config = ConfigDict(from_attributes=True)

    id: int


class Hit(ShownProduct):
    distance: float


@app.post("/products", status_code=201)
async def add_product(new: NewProduct, session: Session) -> ShownProduct:
    product = Product(**new.model_dump())
    session.add(product)
    await session.commit()  # a worker embeds it from here on
    return ShownProduct.model_validate(product)


@app.put("/products/{product_id}/photo", status_code=204)
async def set_photo(product_id: int, request: Request, session: Session) -> Response:
    product = await _product(product_id, session)
    product.photo = await request.body()
    await session.commit()
    return Response(status_code=204)


@app.get("/search")
async def search(
    q: str, session: Session, max_price: Decimal | None = None, in_stock: bool = False, limit: int = 10
) -> list[Hit]:
    """By words, in whatever language."""
    near = distance(Product.text_embedding, q).label("distance")
    statement = select(Product, near).order_by(near).limit(limit)
    if max_price is not None:
        statement = statement.where(Product.price <= max_price)
    if in_stock:
        statement = statement.where(Product.stock > 0)
    return await _hits(statement, session)


@app.get("/search/seen")
async def search_seen(q: str, session: Session, limit: int = 10) -> list[Hit]:
    """By words, among what the photos show."""
    near = distance(Product.photo_embedding, q).label("distance")
    return await _hits(select(Product, near).order_by(near).limit(limit), session)


@app.post("/search/photo")
async def search_by_photo(request: Request, session: Session, limit: int = 10) -> list[Hit]:
    """By a picture, which is the body."""
    near = distance(Product.photo_embedding, await request.body()).label("distance")
    return await _hits(select(Product, near).order_by(near).limit(limit), session)


@app.get("/products/{product_id}/similar")
async def similar(product_id: int, session: Session, limit: int = 5) -> list[Hit]:
    """What customers may like instead."""
    product = await _product(product_id, session)
    near = distance(Product.text_embedding, product).label("distance")
    others = select(Product, near).where(Product.id != product_id, Product.stock > 0)
    return await _hits(others.order_by(near).limit(limit), session)


async def _product(product_id: int, session: AsyncSession) -> Product:
    product = await session.get(Product, product_id)
    if product is None:
        raise HTTPException(404, f"there is no product {product_id}")
    return product


async def _hits(statement: Select[Product, float], session: AsyncSession) -> list[Hit]:
    found = await session.execute(statement)
    return [Hit(**ShownProduct.model_validate(product).model_dump(), distance=d) for product, d in found]


@app.exception_handler(DBAPIError)
async def explain(_request: Request, error: DBAPIError) -> JSONResponse:
    """What a caller can do something about is said; the rest stays an internal error."""
    state = getattr(error.orig, "sqlstate", None)
    if state == NO_WORKER:
        return JSONResponse({"detail": "search is not available at the moment"}, status_code=503)
    if state == NO_PICTURE:
        return JSONResponse({"detail": "this cannot be searched for"}, status_code=422)
    raise error
