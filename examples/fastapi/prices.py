"""A service with one price: `uvicorn prices:api`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI

from framework import App, Secret
from framework.integrations.fastapi import current, health, prefetching


@dataclass(frozen=True)
class Shop:
    """What is sold."""

    currency: Literal["EUR", "USD", "CHF"] = "EUR"
    amount: float = 12.5


@dataclass(frozen=True)
class Rates:
    """The service of the exchange rates."""

    api_key: Secret


@dataclass(frozen=True)
class Settings:
    shop: Shop
    rates: Rates


app = App.from_project(Path(__file__).parent).use()
settings = current(app)
api = FastAPI(lifespan=prefetching(app))
api.include_router(health(app))


@api.get("/price")
def price(now: Annotated[Settings, Depends(settings)]) -> dict[str, str]:
    return {"amount": f"{now.shop.amount:.2f}", "currency": now.shop.currency}
