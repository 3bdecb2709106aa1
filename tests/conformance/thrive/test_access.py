"""Who may do what: Basic or a token, 401 without a good one, 403 without the scope, 404 for another tenant's."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from support import native
from support.waiting import wait_until
from thrive import scene
from thrive.client import (
    AUDIENCE_OPERATIONS,
    AUDIENCE_WRITES,
    JSON,
    NOTHING,
    OPERATIONS,
    READS,
    SUCCESS,
    USER_OPERATIONS,
    WRITES,
    Target,
    Thrive,
    assert_error,
    cells,
    each,
    part,
    succeeding,
)

LIST = pytest.mark.conformance(operation="list_audiences", status=200)
UNAUTHORIZED = pytest.mark.conformance(operation="list_audiences", status=401)


def as_it_was(thrive: Thrive, target: Target) -> Any:
    """What an operation that was refused must not have changed."""
    audiences = thrive.get(target.child), thrive.get(target.structure), thrive.children(target.structure)
    user = thrive.json("GET", f"/user/{target.user_id}")
    return audiences, thrive.members(target.child), thrive.managers(target.child), user


@pytest.mark.parametrize("operation", succeeding(*OPERATIONS))
@pytest.mark.parametrize("way", ["Basic", "Bearer"])
def test_every_operation_in_both_ways(thrive: Thrive, target: Target, operation: str, way: str) -> None:
    caller = thrive if way == "Basic" else thrive.oauth("api/all")
    answer = OPERATIONS[operation](caller, target)
    assert answer.status_code == SUCCESS.get(operation, 200), answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == JSON


@pytest.mark.parametrize("operation", each(401, *OPERATIONS))
def test_no_credentials(thrive: Thrive, target: Target, operation: str) -> None:
    before = as_it_was(thrive, target)
    answer = OPERATIONS[operation](thrive.anonymous(), target)
    assert_error(answer, 401)
    schemes = answer.headers["WWW-Authenticate"].lower()
    assert "basic" in schemes and "bearer" in schemes
    assert as_it_was(thrive, target) == before


@pytest.mark.parametrize("operation", each(401, *OPERATIONS))
def test_wrong_credentials(thrive: Thrive, other: scene.Workspace, target: Target, operation: str) -> None:
    """Another secret, another tenant's id with this secret, this tenant's with another's, and a token that nobody issued."""
    before = as_it_was(thrive, target)
    bearer = requests.Session()
    bearer.headers["Authorization"] = "Bearer VALID_JWT_TOKEN_BASE64"
    callers = (
        Thrive(thrive.server, secret=f"{thrive.secret}x"),
        Thrive(thrive.server, tenant_id="eu-west-2_AbcdEfghI"),
        Thrive(thrive.server, tenant_id=other.thrive.tenant_id),
        Thrive(thrive.server, secret=other.thrive.secret),
        thrive.authorized(bearer),
    )
    for caller in callers:
        assert_error(OPERATIONS[operation](caller, target), 401)
    assert as_it_was(thrive, target) == before


@UNAUTHORIZED
@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Basic x", "Bearer", "Bearer ", "Basic {token}", "Bearer {secret}", "{secret}", "Token {token}", "Bearer {token}x", "Bearer {token}, Bearer {token}", "Basic \xe9", "Bearer {native}"],
)
def test_a_header_of_another_form(thrive: Thrive, header: str) -> None:
    session = thrive.oauth_session()
    token = session.fetch_token(thrive.token_url, grant_type="client_credentials")["access_token"]
    value = header.format(token=token, secret=thrive.secret, native=thrive.server.ready["native"]["token"])
    assert_error(thrive.raw("GET", "/audiences", Authorization=value), 401)


@LIST
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "Bearer", "bearer", "BEARER"])
def test_the_scheme_in_any_case(thrive: Thrive, scheme: str) -> None:
    if scheme.lower() == "basic":
        value = thrive.authorization.partition(" ")[2]
    else:
        value = thrive.oauth_session().fetch_token(thrive.token_url, grant_type="client_credentials")["access_token"]
    assert thrive.raw("GET", "/audiences?perPage=1", Authorization=f"{scheme} {value}").status == 200


@UNAUTHORIZED
def test_credentials_of_other_protocols(thrive: Thrive) -> None:
    """By Basic: another protocol's secret under this tenant's id."""
    for secret in (thrive.server.ready["criteo"]["client_secret"], thrive.server.ready["native"]["token"]):
        assert_error(Thrive(thrive.server, secret=secret).send("GET", "/audiences"), 401)


@UNAUTHORIZED
@LIST
def test_a_revoked_secret(thrive: Thrive) -> None:
    """It, and the tokens of its client, within five seconds."""
    made = scene.credential_create(thrive)
    session = requests.Session()
    form = {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.secret}
    session.headers["Authorization"] = f"Bearer {requests.post(thrive.token_url, data=form, timeout=60).json()['access_token']}"
    callers = made.thrive, thrive.authorized(session)
    for caller in callers:
        assert caller.send("GET", "/audiences", perPage=1).status_code == 200
    scene.revoke(made)
    for caller in callers:
        (answer,) = wait_until(lambda caller=caller: refusal(caller), scene.REVOKED_SECONDS, "a revoked credential is refused")
        assert_error(answer, 401)


def refusal(thrive: Thrive) -> tuple[requests.Response] | None:
    """In a tuple, since a refused answer is false by itself."""
    answer = thrive.send("GET", "/audiences", perPage=1)
    return None if answer.status_code == 200 else (answer,)


# Scopes.


@pytest.mark.parametrize("operation", each(403, *WRITES))
def test_a_write_with_a_token_to_read(thrive: Thrive, target: Target, operation: str) -> None:
    before = as_it_was(thrive, target)
    assert_error(OPERATIONS[operation](thrive.oauth("api/read"), target), 403)
    assert as_it_was(thrive, target) == before


@pytest.mark.parametrize("operation", each(403, *READS))
def test_a_read_with_a_token_to_write(thrive: Thrive, target: Target, operation: str) -> None:
    assert_error(OPERATIONS[operation](thrive.oauth("api/write"), target), 403)


@pytest.mark.parametrize("operation", each(403, *OPERATIONS))
def test_a_token_for_webhooks(thrive: Thrive, target: Target, operation: str) -> None:
    before = as_it_was(thrive, target)
    assert_error(OPERATIONS[operation](thrive.oauth("api/webhooks", url=thrive.user_token_url), target), 403)
    assert as_it_was(thrive, target) == before


@pytest.mark.parametrize("operation", each(200, *READS))
def test_reads_with_a_token_to_read(thrive: Thrive, target: Target, operation: str) -> None:
    assert OPERATIONS[operation](thrive.oauth("api/read"), target).status_code == 200


@pytest.mark.parametrize("operation", succeeding(*WRITES))
def test_writes_with_a_token_to_write(thrive: Thrive, target: Target, operation: str) -> None:
    assert OPERATIONS[operation](thrive.oauth("api/write"), target).status_code == SUCCESS.get(operation, 200)


@LIST
def test_everything_by_a_token_of_the_webhooks_host(thrive: Thrive) -> None:
    """api/all is the same from either."""
    assert thrive.oauth("api/all", url=thrive.user_token_url).send("GET", "/audiences", perPage=1).status_code == 200


@cells(403, "create_audience", "create_user")
@LIST
def test_a_credential_that_may_less(thrive: Thrive, target: Target) -> None:
    """Scopes of the credential itself: what a token asks for gives no more than its client has."""
    made = scene.credential_create(thrive, scopes=["audiences:read"])
    assert made.thrive.send("GET", "/audiences", perPage=1).status_code == 200
    for operation in ("create_audience", "create_user"):
        assert_error(OPERATIONS[operation](made.thrive, target), 403)


@cells(403, "update_audience", "create_audience")
@LIST
def test_a_credential_of_one_structure(thrive: Thrive, target: Target) -> None:
    """A portfolio: what is outside it can be neither read nor written, and is nothing that a stranger learns of."""
    structure, child, native_id = scene.structure_of(thrive, "both")
    made = scene.credential_create(thrive, structures=[native_id])
    assert {item["id"] for item in made.thrive.pages("/audiences")} == {structure["id"], child["id"]}
    assert made.thrive.update(child["id"], name="Renamed")["name"] == "Renamed"
    assert_error(OPERATIONS["update_audience"](made.thrive, target), 403)
    assert_error(OPERATIONS["create_audience"](made.thrive, target), 403)


# What there is not.


@pytest.mark.parametrize("operation", each(404, *AUDIENCE_OPERATIONS, *USER_OPERATIONS, "create_audience"))
def test_what_never_was(thrive: Thrive, operation: str) -> None:
    if operation == "create_audience":
        answer = thrive.send("POST", "/audiences", {"name": "x", "reference": "never made", "parentId": NOTHING.structure, "category": "audience"})
    else:
        answer = OPERATIONS[operation](thrive, NOTHING)
    assert_error(answer, 404)


@pytest.mark.parametrize("operation", each(404, *AUDIENCE_OPERATIONS, *USER_OPERATIONS, "create_audience"))
def test_what_is_another_tenants(thrive: Thrive, other: scene.Workspace, operation: str) -> None:
    """Neither its ids nor its references mean anything here."""
    theirs = scene.target_create(other.thrive)
    before = as_it_was(other.thrive, theirs)
    assert_error(OPERATIONS[operation](thrive, theirs), 404)
    child, structure = (other.thrive.get(audience)["reference"] for audience in (theirs.child, theirs.structure))
    assert_error(OPERATIONS[operation](thrive, Target(part(structure), part(child), theirs.ref, theirs.user_id)), 404)
    assert as_it_was(other.thrive, theirs) == before


@cells(207, "add_members")
def test_another_tenants_users(thrive: Thrive, other: scene.Workspace, target: Target) -> None:
    """Are unknown, by id too; the same reference and e-mail may be somebody else's here."""
    theirs = other.thrive.user()
    answer = thrive.send("POST", f"/audiences/{target.child}/members", [target.ref, theirs["id"], theirs["ref"], theirs["email"]])
    assert answer.status_code == 207 and answer.json()["failure"]["count"] == 3
    ours = thrive.user(theirs["ref"], email=theirs["email"])
    assert ours["id"] != theirs["id"]
    thrive.add(target.child, theirs["ref"])
    assert thrive.members(target.child) == {target.ref, theirs["ref"]}
    assert other.thrive.user_audiences(theirs["ref"]) == set()


@LIST
@cells(200, "list_users")
def test_each_tenant_sees_its_own(thrive: Thrive, other: scene.Workspace) -> None:
    structure, user = other.thrive.structure(), other.thrive.user()
    assert structure["id"] in {item["id"] for item in other.thrive.pages("/audiences")}
    assert not {item["id"] for item in other.thrive.pages("/audiences")} & {item["id"] for item in thrive.pages("/audiences")}
    assert user["id"] not in {item["id"] for item in thrive.pages("/users")}
    # At the mount of a workspace its own tenant is known, and no other.
    own = Thrive(thrive.server, other.thrive.tenant_id, other.thrive.secret, f"{thrive.server.url}/w/{other.slug}/thrive")
    assert own.pages("/audiences") == other.thrive.pages("/audiences")
    assert_error(Thrive(thrive.server, base=own.base).send("GET", "/audiences"), 401)


@cells(403, *AUDIENCE_WRITES)
def test_an_audience_of_the_console(thrive: Thrive) -> None:
    """It is read, and not written; nor is a child put into its structure. The console's word is changed natively."""
    structure, child, native_id = scene.structure_of(thrive, "console")
    (member,) = thrive.members(child["id"])
    target = Target(structure["id"], child["id"], member, "")
    before = thrive.get(child["id"]), thrive.get(structure["id"]), thrive.members(child["id"]), thrive.children(structure["id"])
    for operation in (*AUDIENCE_WRITES, "create_audience"):
        for audience in (target, Target(structure["id"], structure["id"], member, "")):
            assert_error(OPERATIONS[operation](thrive, audience), 403)
    assert (thrive.get(child["id"]), thrive.get(structure["id"]), thrive.members(child["id"]), thrive.children(structure["id"])) == before
    native.call(thrive.server, "PATCH", f"/structures/{native_id}", {"control": "api"})
    assert thrive.get(child["id"])["apiControlled"] is True
    assert thrive.update(child["id"], name="Renamed")["name"] == "Renamed"


@pytest.mark.conformance(operation="get_audience", status=404)
@pytest.mark.parametrize("path", ["/nothing", "/audience", "/audiences/x/nothing", "/audiences/x/members/y/z", "/rest/v3/users", "/users/by/x", ""])
def test_an_unknown_route_answers_in_the_vendors_shape(thrive: Thrive, path: str) -> None:
    assert_error(thrive.raw("GET", path), 404)


@pytest.mark.conformance(operation="get_audience", status=404)
def test_a_method_that_a_path_does_not_take(thrive: Thrive, target: Target) -> None:
    answer = thrive.raw("PUT", f"/audiences/{target.child}", b"{}")
    assert_error(answer, 405)
    assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["allow"].replace(" ", "").split(","))
    assert_error(thrive.raw("GET", "/audiences/no-such-audience"), 404)
