"""`oidc-provider` from npm as a process (support/oidc/provider.mjs), and a browser good enough to sign in there.

scripts/lib.sh installs the packages into $THRONG_TEST_OIDC; where that is not set, they are looked for in the target
folder that it uses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import queue
import shutil
import subprocess
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from support import web
from support.process import environment

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 60
REDIRECTS_MAX = 20
DISCOVERY, KEYS, TOKEN = "/.well-known/openid-configuration", "/jwks", "/token"
# Where the tests' own sign-ins end; nobody listens there, and nobody has to.
ELSEWHERE = "http://127.0.0.1:9/callback"


def program() -> Path:
    """provider.mjs beside its node_modules: Node looks for packages from where a program lies."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    folder = Path(os.environ.get("THRONG_TEST_OIDC", target / "conformance" / "oidc"))
    assert shutil.which("node") and (folder / "node_modules" / "oidc-provider").is_dir(), f"no oidc-provider in {folder}: scripts/test installs it"
    return folder / "provider.mjs"


@dataclass
class Browser:
    """Follows redirects and keeps each host's cookies, Secure or not: what is loopback here is HTTPS in earnest."""

    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, url: str) -> web.Answer:
        host = urlsplit(url).netloc
        held = self.cookies.setdefault(host, {})
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())} if held else {}
        answer = web.request("GET", url, headers=headers)
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            held[name.strip()] = value.strip()
            if not value.strip():
                del held[name.strip()]
        return answer

    def go(self, url: str, until: str) -> str:
        """Follows redirects until one leads to an address that begins with `until`, which it returns without going there."""
        for _ in range(REDIRECTS_MAX):
            answer = self.get(url)
            assert answer.status in (302, 303, 307), f"{url} answered {answer.status} instead of a redirect: {answer.text[:1000]}"
            url = urljoin(url, answer.headers["location"])
            if url.startswith(until):
                return url
        raise AssertionError(f"more than {REDIRECTS_MAX} redirects, the last to {url}")


class IdentityProvider:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["node", str(program())], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(), text=True)
        lines: queue.Queue[str] = queue.Queue()
        stdout = self.process.stdout
        assert stdout is not None

        def read() -> None:
            lines.put(stdout.readline())
            while stdout.read(65536):
                pass

        threading.Thread(target=read, daemon=True).start()
        try:
            self.issuer: str = json.loads(lines.get(timeout=START_SECONDS))["issuer"]
        except (queue.Empty, json.JSONDecodeError):
            self.stop()
            raise AssertionError(f"the identity provider did not start:\n{self.log.read_text()}") from None
        self.client_id = f"client-{uuid.uuid4().hex[:8]}"
        self.client_secret = uuid.uuid4().hex + uuid.uuid4().hex

    def _tell(self, method: str, path: str, body: Any = None) -> Any:
        answer = web.request(method, f"{self.issuer}/-/{path}", body=json.dumps(body if body is not None else {}).encode())
        assert answer.status == 200, f"{path}: {answer.text}\n{self.log.read_text()}"
        return answer.json

    def serves(self, *redirect_uris: str) -> None:
        """Throng as a client, at these addresses."""
        self._tell(
            "PUT",
            "client",
            {
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "redirect_uris": [*redirect_uris, ELSEWHERE],
                "grant_types": ["authorization_code"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "client_secret_basic",
            },
        )

    def at_the_keyboard(self, email: str | None, *, verified: bool = True, sub: str | None = None, **claims: Any) -> str:
        """Whoever signs in from now on; the subject."""
        sub = sub or f"sub-{uuid.uuid4().hex}"
        about = {} if email is None else {"email": email, "email_verified": verified}
        self._tell("PUT", "person", {"sub": sub, "name": "Ann of elsewhere", **about, **claims})
        return sub

    def rotate(self) -> str:
        return self._tell("POST", "rotate")["kid"]

    def fault(self, path: str, kind: str | None) -> None:
        self._tell("PUT", "fault", {"path": path, "kind": kind})

    def counts(self) -> dict[str, int]:
        return self._tell("GET", "counts")

    def claims(self, sub: str, email: str | None, *, verified: Any = True, now: float, **changes: Any) -> dict[str, Any]:
        """Of an ID token for our client as Google makes it; a change to None leaves a claim out."""
        whole = {"iss": self.issuer, "aud": self.client_id, "sub": sub, "email": email, "email_verified": verified, "iat": int(now), "exp": int(now) + 600, **changes}
        return {name: value for name, value in whole.items() if value is not None}

    def sign(self, claims: dict[str, Any], **how: Any) -> str:
        return self._tell("POST", "sign", {"claims": claims, **how})["token"]

    def public_key(self) -> dict[str, Any]:
        return web.request("GET", self.issuer + KEYS).json["keys"][0]

    def id_token(self) -> str:
        """Of the person at the keyboard, through the whole of the code flow, as a page with Google's button gets it."""
        browser = Browser()
        asked = {"client_id": self.client_id, "response_type": "code", "scope": "openid email profile", "redirect_uri": ELSEWHERE, "state": "s", "nonce": "n", "claims": json.dumps({"id_token": {"email": None, "email_verified": None}})}
        back = browser.go(f"{self.issuer}/auth?{urlencode(asked)}", ELSEWHERE)
        query = parse_qs(urlsplit(back).query)
        assert "code" in query, back
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        form = {"grant_type": "authorization_code", "code": query["code"][0], "redirect_uri": ELSEWHERE}
        answer = web.request(
            "POST", self.issuer + TOKEN, headers={"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}, body=urlencode(form).encode()
        )
        assert answer.status == 200, answer.text
        return answer.json["id_token"]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def encode(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any]) -> str:
    """alg none."""
    return f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode(claims)}."


def hmac_signed(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """HS256 under a secret that everybody knows: the public key."""
    head = f"{encode({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{encode(claims)}"
    return f"{head}.{base64.urlsafe_b64encode(hmac.new(secret, head.encode(), hashlib.sha256).digest()).rstrip(b'=').decode()}"
