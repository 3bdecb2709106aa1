"""provision_users: people who come through an identity provider, one object or an array of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opendatasoft_automation import ProvisionUsersRequest, ProvisionUsersRequestAllOfIdentityProvider

from opendatasoft import scene
from opendatasoft.client import Ods, email, in_groups, outcomes, refused, uids, unique

PROVISION = pytest.mark.conformance(operation="provision_users", status=200)
PATH = "/users/provision/"
# Nothing is asked of the provider until somebody signs in, so that it need not exist.
CONFIGURATION = """
[[identity_providers]]
uid = "company"
issuer = "https://login.company.invalid"
client_id = "throng"
client_secret = "a secret of the provider's"

[[identity_providers]]
uid = "google"
issuer = "https://accounts.google.invalid"
client_id = "throng"
client_secret = "another secret of a provider's"
"""


@pytest.fixture(scope="module")
def company(serve: Callable[..., Ods], new_folder: Callable[[], Path]) -> Ods:
    """A server that knows two providers."""
    file = new_folder() / "throng.toml"
    file.write_text(CONFIGURATION)
    return serve("--config", str(file))


def of(provider: str) -> dict[str, Any]:
    return {"identity_provider": {"uid": provider}}


@PROVISION
def test_one_person_as_the_client_sends_it(company: Ods) -> None:
    """The document says one object, its prose says many: the answer is keyed from "0" either way."""
    group, word = company.group(), unique()
    request = ProvisionUsersRequest(
        email=email(word), first_name="Louise", permissions=["edit_page"], groups=in_groups(group.uid),
        identity_provider=ProvisionUsersRequestAllOfIdentityProvider(uid="company"), identity_provider_attributes={"NameID": "louise", "deep": {"list": [1, None]}},
    )  # fmt: skip
    answer = company.users.provision_users(request)
    assert list(answer) == ["0"] and answer["0"].status_code == "success"
    user = answer["0"].data
    assert (user.username, user.email, user.first_name, user.permissions, uids(user)) == (word, email(word), "Louise", ["edit_page"], {group.uid})
    assert [provider.uid for provider in user.identity_providers] == ["company"]
    assert company.users.get_user(word) == user
    assert {"identity_provider", "identity_provider_attributes"}.isdisjoint(company.json("GET", f"/users/{word}/"))


@PROVISION
def test_people_in_an_array(company: Ods) -> None:
    member = company.person()
    items = [
        {"email": email(), **of("company")},
        {"email": email(), **of("nobodys")},
        {"email": member.email.upper(), **of("company")},
        {"email": "not an address", **of("company")},
        {"email": email(), **of("company"), "permissions": ["no_such_permission"]},
        {"email": email(), **of("company"), "groups": [{"uid": "no_such_group"}]},
        {"email": email(), **of("google")},
    ]
    total = company.total()[0]
    answer = company.json("POST", PATH, items)
    assert outcomes(answer) == ["success", "unknown-identity-provider", "already-member", "invalid-email", "validation_error", "unknown-group", "success"]
    assert [answer[number]["data"]["identity_providers"] for number in ("0", "6")] == [[{"uid": "company"}], [{"uid": "google"}]]
    assert company.total()[0] == total + 2
    assert company.users.get_user(member.username).identity_providers == []


@PROVISION
def test_who_signs_in_elsewhere_needs_no_invitation(company: Ods) -> None:
    address = email()
    assert outcomes(company.json("POST", PATH, {"email": address, **of("company")})) == ["success"]
    assert scene.mails(company.server, address) == []


@PROVISION
def test_the_provider_stays_through_a_round_trip(company: Ods) -> None:
    """The client sends identity_providers back although they are read-only; they are neither lost nor changed by it."""
    username = company.json("POST", PATH, {"email": email(), **of("company")})["0"]["data"]["username"]
    user = company.users.get_user(username)
    assert company.users.update_user(username, user) == user
    changed = company.json("PUT", f"/users/{username}/", {"identity_providers": [{"uid": "google"}], **of("google")})
    assert changed["identity_providers"] == [{"uid": "company"}]


@PROVISION
def test_an_unknown_provider_is_an_error_of_the_item(ods: Ods) -> None:
    """On a server without any."""
    total = ods.total()
    assert outcomes(ods.json("POST", PATH, {"email": email(), **of("company")})) == ["unknown-identity-provider"]
    request = ProvisionUsersRequest(email=email(), identity_provider=ProvisionUsersRequestAllOfIdentityProvider(uid="company"))
    assert ods.users.provision_users(request)["0"].status_code == "error"
    assert ods.total() == total


@PROVISION
@pytest.mark.parametrize(
    "item",
    [{}, {"identity_provider": None}, {"identity_provider": "company"}, {"identity_provider": {}}, {"identity_provider": {"uid": None}}, {"identity_provider": {"uid": 1}},
     {**of("company"), "identity_provider_attributes": "x"}, {**of("company"), "email": None}],
    ids=str,
)  # fmt: skip
def test_an_item_that_is_wrong(company: Ods, item: dict[str, Any]) -> None:
    total = company.total()
    assert outcomes(company.json("POST", PATH, {"email": email(), **item})) == ["validation_error"]
    assert outcomes(company.json("POST", PATH, [{"email": email(), **item}])) == ["validation_error"]
    assert company.total() == total


@PROVISION
def test_one_address_twice_in_one_request(company: Ods) -> None:
    word = unique()
    answer = company.json("POST", PATH, [{"email": email(word), **of("company")}, {"email": email(word.upper()), **of("google")}])
    assert outcomes(answer) == ["success", "already-member"]
    assert company.users.get_users(search=word, limit=0).total_count == 1


@PROVISION
def test_nobody_at_all(company: Ods) -> None:
    assert company.json("POST", PATH, []) == {}


@pytest.mark.conformance(operation="provision_users", status=400)
def test_the_client_without_a_body(ods: Ods) -> None:
    with refused(400):
        ods.users.provision_users()
