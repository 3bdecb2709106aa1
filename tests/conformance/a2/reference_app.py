"""A real FastAPI-Users application: what A2's Auth and User are built with, and so what their answers are compared with.

Run as a program by a2/reference.py. It has the library's own routers, unmodified, at the paths that A2 kept, and A2's
documented fields of a user as pydantic models. What the library leaves to the application is chosen as A2's pages and
Throng's rules say: the lengths of a password, and which fields somebody may set of themselves. It is no model of Throng:
nothing here was written to make a comparison pass.

    reference_app.py FOLDER     one line of JSON on standard output once it serves: url, admin; tokens that the library
                                would mail go to FOLDER/tokens, one JSON object a line
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi_users import BaseUserManager, FastAPIUsers, InvalidPasswordException, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseOAuthAccountTableUUID, SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from httpx_oauth.oauth2 import BaseOAuth2
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import AfterValidator, Field
from sqlalchemy import JSON, Float, ForeignKey, Integer, String, Uuid
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

TOKEN_SECONDS = 3600
PASSWORD_MIN, PASSWORD_MAX = 8, 128
# The library's own hash at its least cost: what is compared are answers, not strength.
PASSWORDS = PasswordHelper(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),)))
SECRET = secrets.token_hex(32)

PREFERENCES: dict[str, Any] = {
    "etc": {"language": "ko"},
    "notification_methods": {"email": True, "slack": False, "sms": False},
    "notification_methods_data": {"slack": "<SLACK_WEBHOOK_URL>", "sms": ""},
    "notifications": {"attribute_deleted": True, "campaign_finished": True, "publish_approval": True, "publish_request": True},
}


class Role(str, Enum):
    advertiser = "advertiser"
    retailer = "retailer"
    admin = "admin"


class Base(DeclarativeBase):
    pass


class OAuthAccount(SQLAlchemyBaseOAuthAccountTableUUID, Base):
    user_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("user.id", ondelete="cascade"), nullable=False)


class User(SQLAlchemyBaseUserTableUUID, Base):
    name: Mapped[Optional[str]] = mapped_column(String(64), nullable=True)
    role: Mapped[str] = mapped_column(String(16), default=Role.advertiser.value)
    budget: Mapped[float] = mapped_column(Float, default=0)
    credit: Mapped[float] = mapped_column(Float, default=0)
    campaign_count: Mapped[int] = mapped_column(Integer, default=0)
    creative_count: Mapped[int] = mapped_column(Integer, default=0)
    placement_count: Mapped[int] = mapped_column(Integer, default=0)
    permissions: Mapped[dict] = mapped_column(JSON, default=dict)
    preferences: Mapped[dict] = mapped_column(JSON, default=lambda: dict(PREFERENCES))
    oauth_accounts: Mapped[list[OAuthAccount]] = relationship("OAuthAccount", lazy="joined")


def with_defaults(stored: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Each part of the preferences has the documented defaults under what was set of it."""
    filled = {name: with_defaults(stored[name], value) if isinstance(value, dict) and isinstance(stored.get(name), dict) else stored.get(name, value) for name, value in defaults.items()}
    return {**stored, **filled}


class UserRead(schemas.BaseUser[uuid.UUID]):
    budget: float
    campaign_count: int
    creative_count: int
    credit: float
    name: Optional[str]
    permissions: dict[str, list[str]]
    placement_count: int
    preferences: Annotated[dict[str, Any], AfterValidator(lambda stored: with_defaults(stored, PREFERENCES))]
    role: Role


# What nobody sets of themselves, beside the library's own four.
RESERVED = {"budget", "credit", "permissions", "campaign_count", "creative_count", "placement_count"}


class UserCreate(schemas.BaseUserCreate):
    name: str
    permissions: dict[str, list[str]]
    role: Role
    budget: float = Field(default=0, ge=0)
    credit: float = Field(default=0, ge=0)
    preferences: dict[str, Any] = Field(default_factory=lambda: dict(PREFERENCES))

    def create_update_dict(self) -> dict[str, Any]:
        return {name: value for name, value in super().create_update_dict().items() if name not in RESERVED}


class UserUpdate(schemas.BaseUserUpdate):
    id: Optional[uuid.UUID] = None
    name: Optional[str] = Field(default=None, min_length=4, max_length=32)
    budget: Optional[float] = Field(default=None, ge=0)
    credit: Optional[float] = Field(default=None, ge=0)
    campaign_count: Optional[int] = Field(default=None, ge=0)
    creative_count: Optional[int] = Field(default=None, ge=0)
    placement_count: Optional[int] = Field(default=None, ge=0)
    permissions: Optional[dict[str, list[str]]] = None
    preferences: Optional[dict[str, Any]] = None

    def create_update_dict(self) -> dict[str, Any]:
        return {name: value for name, value in super().create_update_dict().items() if name not in RESERVED}


FOLDER = Path(sys.argv[1])
engine = create_async_engine(f"sqlite+aiosqlite:///{FOLDER / 'reference.db'}")
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def database() -> AsyncIterator[SQLAlchemyUserDatabase]:
    async with sessions() as session:
        yield SQLAlchemyUserDatabase(session, User, OAuthAccount)


def keep(kind: str, email: str, token: str) -> None:
    """Where an application would send a mail."""
    with (FOLDER / "tokens").open("a") as file:
        file.write(json.dumps({"kind": kind, "email": email, "token": token}) + "\n")


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET

    async def validate_password(self, password: str, user: Any) -> None:
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            raise InvalidPasswordException(f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")

    async def on_after_forgot_password(self, user: User, token: str, request: Optional[Request] = None) -> None:
        keep("reset", user.email, token)

    async def on_after_request_verify(self, user: User, token: str, request: Optional[Request] = None) -> None:
        keep("verify", user.email, token)


async def manager(users: SQLAlchemyUserDatabase = Depends(database)) -> AsyncIterator[UserManager]:
    yield UserManager(users, PASSWORDS)


jwt = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/jwt/login"),
    get_strategy=lambda: JWTStrategy(secret=SECRET, lifetime_seconds=TOKEN_SECONDS),
)
users = FastAPIUsers[User, uuid.UUID](manager, [jwt])
# Its addresses are never called: what is compared is the first half and the refusals that need no provider.
google = BaseOAuth2("client", "secret", "http://127.0.0.1:9/auth", "http://127.0.0.1:9/token", name="google", base_scopes=["openid", "email"])


async def make_admin() -> dict[str, str]:
    account = {"email": "admin@example.com", "password": secrets.token_urlsafe(16)}
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        command = UserCreate(**account, name="Administrator", permissions={}, role=Role.admin, is_superuser=True)
        await UserManager(SQLAlchemyUserDatabase(session, User, OAuthAccount), PASSWORDS).create(command, safe=False)
    return account


def application(url: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        print(json.dumps({"url": url, "admin": await make_admin()}), flush=True)
        yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(users.get_auth_router(jwt), prefix="/auth/jwt")
    app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")
    app.include_router(users.get_reset_password_router(), prefix="/auth")
    app.include_router(users.get_verify_router(UserRead), prefix="/auth")
    app.include_router(users.get_oauth_router(google, jwt, SECRET), prefix="/auth/google")
    app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")
    return app


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Before the line that says where: who connects early waits.
    listener.listen(128)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    uvicorn.Server(uvicorn.Config(application(url), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
