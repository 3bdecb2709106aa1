"""Signing in by an identity provider, against a real one (oidc-provider): by an ID token, and by the authorize and
callback pair. Accounts are linked by issuer and subject, and by an e-mail only where the provider says that it is
verified and the configuration allows it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from jwt.algorithms import RSAAlgorithm

from a2.client import PASSWORD, Account, ReferenceA2, ThrongA2, answered, refused, unique_email
from a2.comparison import Difference, compare, judge, report
from support.identity_provider import DISCOVERY, KEYS, TOKEN, Browser, IdentityProvider, hmac_signed, unsigned
from support.postgres import free_port
from support.site import Site
from support.waiting import wait_until
from support.web import Answer

GOOGLE, AUTHORIZE, CALLBACK = "google_sign_in", "google_authorize", "google_callback"
COOKIE = "fastapiusersoauthcsrf"
BAD_TOKEN = {"ACCESS_TOKEN_DECODE_ERROR", "ACCESS_TOKEN_ALREADY_EXPIRED", "LOGIN_BAD_CREDENTIALS"}
# The longest that a provider may keep somebody waiting who wants to sign in.
PATIENCE_SECONDS = 30


@dataclass
class Google:
    """A server, its one identity provider, and somebody's browser."""

    a2: ThrongA2
    provider: IdentityProvider

    def sign_in(self, token: str, name: str = "id_token") -> Answer:
        return self.a2.post("/auth/google", {name: token})

    def signed(self, sub: str, email: str | None, **changes: Any) -> str:
        return self.provider.sign(self.provider.claims(sub, email, now=time.time(), **changes))

    def authorize(self, browser: Browser) -> str:
        return answered(browser.get(f"{self.a2.base}/auth/google/authorize"), 200)["authorization_url"]

    def back(self, browser: Browser) -> str:
        """The address that the provider sends the browser back to, with code and state, not yet opened."""
        return browser.go(self.authorize(browser), f"{self.a2.base}/auth/google/callback")

    def user(self, answer: Answer) -> dict[str, Any]:
        body = answered(answer, 200)
        assert set(body) == {"access_token", "token_type"} and body["token_type"] == "bearer"
        return answered(self.a2.me(body["access_token"]), 200)

    def accounts(self) -> int:
        return len(answered(self.a2.get("/users", self.a2.admin), 200))


def config(provider: IdentityProvider, **switches: bool) -> str:
    lines = "".join(f"{name} = {str(value).lower()}\n" for name, value in switches.items())
    return f"""
[outbound]
allow = "127.0.0.1/32"

[rate_limit]
a2 = "off"

[[identity_providers]]
uid = "google"
issuer = "{provider.issuer}"
client_id = "{provider.client_id}"
client_secret = "{provider.client_secret}"
workspace = "default"
role = "advertiser"
{lines}"""


@pytest.fixture(scope="module")
def start(new_site: Callable[[], Site], new_folder: Callable[[], Path]) -> Iterator[Callable[..., Google]]:
    """A provider and a server that trusts it, with the switches of the test's own."""
    providers: list[IdentityProvider] = []
    servers = []

    def run(**switches: bool) -> Google:
        provider = IdentityProvider(new_folder())
        providers.append(provider)
        port = free_port()
        provider.serves(f"http://127.0.0.1:{port}/a2/auth/google/callback", f"http://127.0.0.1:{port}/a2/api/auth/google/callback")
        server = new_site().serve(config=config(provider, **switches), port=port)
        servers.append(server)
        return Google(ThrongA2(server), provider)

    yield run
    for server in servers:
        assert server.terminate() == 0, server.describe()
    for provider in providers:
        provider.stop()


@pytest.fixture(scope="module")
def google(start: Callable[..., Google]) -> Google:
    """A first sign-in makes an account; an e-mail links nothing."""
    return start(create_accounts=True, link_by_email=False)


@pytest.fixture(scope="module")
def linking(start: Callable[..., Google]) -> Google:
    """An e-mail that the provider has verified links; nobody new is let in."""
    return start(create_accounts=False, link_by_email=True)


# By an ID token: POST /auth/google


@pytest.mark.conformance(operation=GOOGLE, status=200)
@pytest.mark.parametrize("name", ["id_token", "credential"])
def test_a_first_sign_in_makes_an_account_and_a_second_finds_it(google: Google, name: str) -> None:
    email = unique_email("google")
    google.provider.at_the_keyboard(email)
    user = google.user(google.sign_in(google.provider.id_token(), name))
    assert (user["email"], user["role"], user["is_superuser"], user["is_active"], user["is_verified"]) == (email, "advertiser", False, True, True)
    again = google.user(google.sign_in(google.provider.id_token(), name))
    assert again == user
    # It has no password that anybody could guess.
    for password in ("", "null", email, PASSWORD):
        assert google.a2.login(email, password).status in (400, 422)


@pytest.mark.conformance(operation=GOOGLE, status=200)
def test_the_subject_is_the_person_and_the_e_mail_is_not(google: Google) -> None:
    """Somebody who changes their address at the provider stays who they are; who gets the old address does not become them."""
    first, second = unique_email("first"), unique_email("second")
    ann = google.user(google.sign_in(google.signed("subject-of-ann", first)))
    assert google.user(google.sign_in(google.signed("subject-of-ann", second)))["id"] == ann["id"]
    answer = google.sign_in(google.signed("subject-of-eve", first))
    if answer.status == 200:
        assert google.user(answer)["id"] != ann["id"]
    else:
        refused(answer, 400, "OAUTH_USER_ALREADY_EXISTS")


@pytest.mark.conformance(operation=GOOGLE, status=400)
@pytest.mark.parametrize("verified", [True, False])
def test_an_e_mail_alone_links_nothing(google: Google, verified: bool) -> None:
    ann = google.a2.account()
    refused(google.sign_in(google.signed(f"eve {verified}", ann.email, verified=verified)), 400, "OAUTH_USER_ALREADY_EXISTS")
    refused(google.sign_in(google.signed(f"eve {verified}", ann.email.upper(), verified=verified)), 400, "OAUTH_USER_ALREADY_EXISTS")
    answered(google.a2.me(ann.token), 200)


@pytest.mark.conformance(operation=GOOGLE, status=200)
def test_a_verified_e_mail_links_where_that_is_allowed(linking: Google) -> None:
    ann = linking.a2.account()
    assert linking.user(linking.sign_in(linking.signed("ann there", ann.email)))["id"] == ann.id
    # From now on by the subject, whatever the address says.
    assert linking.user(linking.sign_in(linking.signed("ann there", unique_email(), verified=False)))["id"] == ann.id
    # Nobody had shown the address to be theirs: who registered with it may have waited for its owner, and is shut out.
    refused(linking.a2.me(ann.token), 401, "Unauthorized")
    refused(linking.a2.login(ann.email), 400, "LOGIN_BAD_CREDENTIALS")
    bob = linking.a2.verified(linking.a2.account())
    assert linking.user(linking.sign_in(linking.signed("bob there", bob.email)))["id"] == bob.id
    answered(linking.a2.me(bob.token), 200)
    assert linking.a2.token(bob.email)


@pytest.mark.conformance(operation=GOOGLE, status=400)
@pytest.mark.parametrize("verified", [False, None, 1, "false", "", [True]])
def test_an_e_mail_that_is_not_verified_links_nothing(linking: Google, verified: Any) -> None:
    """Only true is true, as a value or as some providers' text."""
    ann = linking.a2.account()
    answer = linking.sign_in(linking.signed(f"eve {verified!r}", ann.email, verified=verified))
    assert answered(answer, 400)["detail"] in ("OAUTH_USER_ALREADY_EXISTS", "LOGIN_BAD_CREDENTIALS")


@pytest.mark.conformance(operation=GOOGLE, status=400)
def test_nobody_new_where_accounts_are_not_made(linking: Google) -> None:
    before = linking.accounts()
    refused(linking.sign_in(linking.signed("a stranger", unique_email())), 400, "LOGIN_BAD_CREDENTIALS")
    assert linking.accounts() == before


@pytest.mark.conformance(operation=GOOGLE, status=400)
def test_somebody_without_an_address(google: Google) -> None:
    before = google.accounts()
    refused(google.sign_in(google.signed("no address", None)), 400, "OAUTH_NOT_AVAILABLE_EMAIL")
    assert google.accounts() == before


@pytest.mark.conformance(operation=GOOGLE, status=400)
def test_the_inactive_do_not_come_in_by_the_side_door(google: Google) -> None:
    email = unique_email("google")
    user = google.user(google.sign_in(google.signed("inactive", email)))
    google.a2.deactivate(Account(email, user["id"], ""))
    refused(google.sign_in(google.signed("inactive", email)), 400, "LOGIN_BAD_CREDENTIALS")


def public_secrets(provider: IdentityProvider) -> list[bytes]:
    """What a confused server might take for a shared secret: the public key in each form that is lying around."""
    key = provider.public_key()
    public = RSAAlgorithm.from_jwk(json.dumps(key))
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.strip(), der, key["n"].encode(), json.dumps(key).encode(), provider.client_secret.encode(), b""]


BAD: dict[str, Callable[[Google, str], list[str]]] = {
    "expired": lambda it, email: [it.signed("bad", email, iat=int(time.time()) - 7200, exp=int(time.time()) - 3600)],
    "no expiry": lambda it, email: [it.signed("bad", email, exp=None)],
    "from the future": lambda it, email: [it.signed("bad", email, nbf=int(time.time()) + 3600)],
    "another audience": lambda it, email: [it.signed("bad", email, aud="another-client"), it.signed("bad", email, aud=[]), it.signed("bad", email, aud=None)],
    "also another audience": lambda it, email: [it.signed("bad", email, aud=["another-client", "a-third"])],
    "another issuer": lambda it, email: [it.signed("bad", email, iss=iss) for iss in ("https://accounts.google.com", it.provider.issuer + "/", it.provider.issuer.upper(), None)],
    "no subject": lambda it, email: [it.signed("", email), it.provider.sign(it.provider.claims("x", email, now=time.time()) | {"sub": None})],
    "another key": lambda it, email: [it.provider.sign(it.provider.claims("bad", email, now=time.time()), lie=True)],
    "an unknown key": lambda it, email: [it.provider.sign(it.provider.claims("bad", email, now=time.time()), lie=True, kid="nobody's")],
    "none": lambda it, email: [unsigned(it.provider.claims("bad", email, now=time.time()))],
    "the public key as a secret": lambda it, email: [
        hmac_signed(it.provider.claims("bad", email, now=time.time()), secret, it.provider.public_key()["kid"]) for secret in public_secrets(it.provider)
    ],
    "no token": lambda it, email: ["", "x", "a.b.c", "..", "x" * 100_000],
}


@pytest.mark.conformance(operation=GOOGLE, status=400)
@pytest.mark.parametrize("how", BAD)
def test_a_token_that_proves_nothing(google: Google, how: str) -> None:
    """And nothing is stored. Each is but for the one thing a token that is taken, which the last line shows."""
    before, email = google.accounts(), unique_email("bad")
    for token in BAD[how](google, email):
        answer = google.sign_in(token)
        assert answered(answer, 400)["detail"] in BAD_TOKEN, answer.text
    assert google.accounts() == before
    assert google.user(google.sign_in(google.signed(f"good after {how}", email)))["email"] == email


@pytest.mark.conformance(operation=GOOGLE, status=422)
def test_a_request_without_a_token(google: Google) -> None:
    for command in ({}, {"id_token": None}, {"id_token": 1}, {"access_token": "x"}, []):
        assert isinstance(answered(google.a2.post("/auth/google", command), 422)["detail"], list)


@pytest.mark.conformance(operation=GOOGLE, status=404)
@pytest.mark.conformance(operation=AUTHORIZE, status=404)
@pytest.mark.conformance(operation=CALLBACK, status=404)
def test_no_provider(a2: ThrongA2) -> None:
    refused(a2.post("/auth/google", {"id_token": "x"}), 404, "Not Found")
    refused(a2.get("/auth/google/authorize"), 404, "Not Found")
    refused(a2.get("/auth/google/callback?code=x&state=x"), 404, "Not Found")


# The provider changes, or is ill.


@pytest.mark.conformance(operation=GOOGLE, status=200)
@pytest.mark.conformance(operation=GOOGLE, status=400)
def test_a_new_key_is_fetched_and_the_old_one_forgotten(start: Callable[..., Google]) -> None:
    google = start(create_accounts=True)
    email = unique_email("google")
    old = google.signed("ann", email)
    user = google.user(google.sign_in(old))
    for _ in range(5):
        google.user(google.sign_in(google.signed("ann", email)))
    assert google.provider.counts()[KEYS] == 1, "the keys are kept and not fetched for each sign-in"
    google.provider.rotate()
    # At once, or after the pause that a provider is left alone for.
    fresh = google.signed("ann", email)
    wait_until(lambda: google.sign_in(fresh).status == 200, PATIENCE_SECONDS, "the new key is fetched")
    assert google.user(google.sign_in(fresh)) == user
    assert google.provider.counts()[KEYS] == 2
    assert answered(google.sign_in(old), 400)["detail"] in BAD_TOKEN
    # An unknown key does not let anybody make the server ask the provider as often as they like.
    for number in range(30):
        answered(google.sign_in(google.provider.sign(google.provider.claims("ann", email, now=time.time()), lie=True, kid=f"unknown {number}")), 400)
    assert google.provider.counts()[KEYS] <= 5, google.provider.counts()


@pytest.mark.conformance(operation=GOOGLE, status=503)
@pytest.mark.conformance(operation=AUTHORIZE, status=503)
@pytest.mark.parametrize("kind", ["garbage", "error", "redirect", "huge", "stall"])
@pytest.mark.parametrize("path", [DISCOVERY, KEYS], ids=["discovery", "keys"])
def test_a_provider_that_is_ill(start: Callable[..., Google], path: str, kind: str) -> None:
    """A clear answer in time, nothing stored, the rest of the server unmoved; and well again when the provider is."""
    google = start(create_accounts=True)
    email = unique_email("google")
    before = google.accounts()
    google.provider.fault(path, kind)
    token = google.signed("ann", email)
    since = time.monotonic()
    refused(google.sign_in(token), 503, "Service Unavailable")
    if path == DISCOVERY:
        refused(google.a2.get("/auth/google/authorize"), 503, "Service Unavailable")
    assert time.monotonic() - since < 2 * PATIENCE_SECONDS
    assert google.accounts() == before
    assert google.a2.account()
    google.a2.server.assert_alive()
    google.provider.fault(path, None)
    # At once, or after a short pause in which the provider is left alone.
    assert google.user(recovered(lambda: google.sign_in(token)))["email"] == email


def recovered(ask: Callable[[], Answer]) -> Answer:
    return wait_until(lambda: (answer := ask()).status != 503 and answer, PATIENCE_SECONDS * 2, "the provider is asked again")


@pytest.mark.conformance(operation=GOOGLE, status=503)
def test_a_provider_that_is_gone(start: Callable[..., Google]) -> None:
    google = start(create_accounts=True)
    token = google.signed("ann", unique_email())
    google.provider.stop()
    refused(google.sign_in(token), 503, "Service Unavailable")
    assert google.a2.account()


@pytest.mark.conformance(operation=CALLBACK, status=503)
@pytest.mark.parametrize("kind", ["garbage", "error", "stall"])
def test_a_provider_that_falls_ill_on_the_way(google: Google, kind: str) -> None:
    before = google.accounts()
    google.provider.at_the_keyboard(unique_email("google"))
    browser = Browser()
    back = google.back(browser)
    google.provider.fault(TOKEN, kind)
    try:
        refused(browser.get(back), 503, "Service Unavailable")
    finally:
        google.provider.fault(TOKEN, None)
    assert google.accounts() == before


# By the browser: GET /auth/google/authorize and GET /auth/google/callback


@pytest.mark.conformance(operation=AUTHORIZE, status=200)
def test_where_the_browser_is_sent(google: Google) -> None:
    first, second = Browser(), Browser()
    asked = [dict(parse_qsl(urlsplit(google.authorize(browser)).query)) for browser in (first, second)]
    assert asked[0]["response_type"] == "code" and asked[0]["client_id"] == google.provider.client_id
    assert asked[0]["redirect_uri"] == f"{google.a2.base}/auth/google/callback"
    assert {"openid", "email"} <= set(asked[0]["scope"].split())
    assert asked[0]["code_challenge_method"] == "S256" and len(asked[0]["code_challenge"]) == 43
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[0][name]) >= 22 and asked[0][name] != asked[1][name], name
    assert google.provider.client_secret not in json.dumps(asked)


@pytest.mark.conformance(operation=AUTHORIZE, status=200)
@pytest.mark.conformance(operation=CALLBACK, status=200)
@pytest.mark.parametrize("mount", ["/a2", "/a2/api"])
def test_signing_in_by_the_browser(google: Google, mount: str) -> None:
    """Through the provider's pages; the account is that of the same person's ID token."""
    there = Google(ThrongA2(google.a2.server, google.a2.server.url + mount), google.provider)
    email = unique_email("google")
    sub = google.provider.at_the_keyboard(email)
    browser = Browser()
    user = there.user(browser.get(there.back(browser)))
    assert (user["email"], user["role"], user["is_verified"]) == (email, "advertiser", True)
    assert google.user(google.sign_in(google.signed(sub, email)))["id"] == user["id"]
    other = Browser()
    assert there.user(other.get(there.back(other)))["id"] == user["id"]


@pytest.mark.conformance(operation=CALLBACK, status=400)
def test_a_code_is_good_once(google: Google) -> None:
    google.provider.at_the_keyboard(unique_email("google"))
    browser = Browser()
    back = google.back(browser)
    held = {host: dict(cookies) for host, cookies in browser.cookies.items()}
    google.user(browser.get(back))
    replay = Browser({host: dict(cookies) for host, cookies in held.items()})
    for again in (replay, browser):
        assert answered(again.get(back), 400)["detail"] in ("OAUTH_INVALID_STATE", "ACCESS_TOKEN_DECODE_ERROR", "LOGIN_BAD_CREDENTIALS")


@pytest.mark.conformance(operation=CALLBACK, status=400)
def test_a_callback_in_another_browser(google: Google) -> None:
    """Without the cookie, or with that of another sign-in: nobody is made to sign in as somebody else."""
    google.provider.at_the_keyboard(unique_email("google"))
    before = google.accounts()
    mine, theirs = Browser(), Browser()
    back = google.back(mine)
    google.authorize(theirs)
    for browser in (Browser(), theirs):
        refused(browser.get(back), 400, "OAUTH_INVALID_STATE")
    assert google.accounts() == before


@pytest.mark.conformance(operation=CALLBACK, status=400)
def test_a_state_that_is_not_ours(google: Google) -> None:
    google.provider.at_the_keyboard(unique_email("google"))
    before = google.accounts()
    browser = Browser()
    back = google.back(browser)
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    for state in ("x", query["state"][:-1], query["state"] + "x", query["state"].swapcase(), "x" * 10_000):
        answer = browser.get(f"{back.partition('?')[0]}?{urlencode({**query, 'state': state})}")
        assert answered(answer, 400)["detail"] in ("ACCESS_TOKEN_DECODE_ERROR", "OAUTH_INVALID_STATE"), answer.text
    assert google.accounts() == before
    # Trying did not use anything up: the true one still signs in, if its cookie is still there.
    assert COOKIE in browser.cookies[urlsplit(back).netloc]


@pytest.mark.conformance(operation=CALLBACK, status=400)
def test_a_code_that_is_not_one(google: Google) -> None:
    google.provider.at_the_keyboard(unique_email("google"))
    before = google.accounts()
    browser = Browser()
    back = google.back(browser)
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    answer = browser.get(f"{back.partition('?')[0]}?{urlencode({**query, 'code': 'invented'})}")
    assert re.fullmatch(r"[A-Z_]+", answered(answer, 400)["detail"]), answer.text
    assert google.provider.client_secret not in answer.text
    assert google.accounts() == before


# Beside the library's own pair.

PAIR = (
    Difference("authorize", "body.authorization_url", "the provider's address, and what the library does not send: nonce and PKCE", lambda theirs, ours: names(theirs) <= names(ours)),
    Difference(
        "authorize",
        f"cookie {COOKIE}",
        "Secure off loopback only, where plain HTTP would lose it; its path may be narrower than the whole server",
        lambda theirs, ours: without(theirs) == without(ours),
    ),
)


def names(url: str) -> set[str]:
    return set(dict(parse_qsl(urlsplit(url).query)))


def without(attributes: list[str]) -> list[str]:
    return [attribute for attribute in attributes if attribute != "secure" and not attribute.startswith("path=")]


@pytest.mark.conformance(operation=AUTHORIZE, status=200)
@pytest.mark.parametrize(("case", "path"), [("authorize", "/auth/google/authorize")])
def test_authorize_is_the_library_s(google: Google, reference: ReferenceA2, case: str, path: str) -> None:
    the_same(google, reference, case, path, 200)


@pytest.mark.conformance(operation=CALLBACK, status=400)
@pytest.mark.parametrize(
    ("case", "path"),
    [
        ("no code", "/auth/google/callback"),
        ("no code but a state", "/auth/google/callback?state=x"),
        ("an error of the provider", "/auth/google/callback?error=access_denied&state=x"),
    ],
)
def test_the_callback_s_refusals_are_the_library_s(google: Google, reference: ReferenceA2, case: str, path: str) -> None:
    the_same(google, reference, case, path, 400)


def the_same(google: Google, reference: ReferenceA2, case: str, path: str, status: int) -> None:
    answers = reference.get(path), google.a2.get(path)
    unexplained, _ = judge(case, compare(*answers, (reference.base, google.a2.base)), PAIR)
    assert answers[0].status == status
    assert not unexplained, report(case, unexplained, *answers)
