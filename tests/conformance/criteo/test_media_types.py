"""The media types that the vendor declares, which its own client never sends: JSON, XML and forms in; JSON and XML out."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import pytest

from criteo.client import Criteo, assert_problem, unique
from support import web

JSON_TYPES = ("application/json", "text/json", "text/html", "application/json; charset=utf-8", "Application/JSON")
XML_TYPES = ("application/xml", "text/xml", "application/xml; charset=utf-8")
FORM = "application/x-www-form-urlencoded"
USERLIST = "/v1/audiences/userlist"


def parse(answer: web.Answer, media_type: str, root: str) -> ElementTree.Element:
    assert answer.media_type == media_type
    element = ElementTree.fromstring(answer.body)
    assert element.tag == root, answer.text
    return element


def assert_created(criteo: Criteo, answer: web.Answer, name: str, description: str | None = None) -> None:
    assert answer.status == 200, answer.text
    found = criteo.get(answer.json["audienceId"])
    assert found is not None
    assert (found.name, found.description or None) == (name, description)


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_json_in(criteo: Criteo, content_type: str) -> None:
    name = unique("ü")
    body = json.dumps({"advertiserId": criteo.advertiser_id, "name": name, "description": "é"}, ensure_ascii=False).encode()
    assert_created(criteo, criteo.raw("POST", USERLIST, body, content_type=content_type), name, "é")


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.parametrize("content_type", XML_TYPES)
def test_xml_in(criteo: Criteo, content_type: str) -> None:
    name = unique("ü")
    body = f"""<?xml version="1.0" encoding="utf-8"?>
        <AudienceCreateRequest><advertiserId>{criteo.advertiser_id}</advertiserId>
        <name>{name}</name><description>&lt;b&gt; &amp; <![CDATA[<c>]]> &#233;</description></AudienceCreateRequest>"""
    assert_created(criteo, criteo.raw("POST", USERLIST, body.encode(), content_type=content_type), name, "<b> & <c> é")


@pytest.mark.conformance(operation="create_audience", status=200)
def test_form_in(criteo: Criteo) -> None:
    name = unique("a&b=c ü")
    body = urlencode({"advertiserId": criteo.advertiser_id, "name": name, "description": "100 %"}).encode()
    assert_created(criteo, criteo.raw("POST", USERLIST, body, content_type=FORM), name, "100 %")


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.parametrize("content_type", XML_TYPES)
def test_identifiers_in_xml(criteo: Criteo, audience: int, content_type: str) -> None:
    body = b"""<AudiencePatchRequest><operation>add</operation><schema>email</schema>
        <identifiers><string>ann@example.com</string><string> bob@example.com </string><string>jkl@gmail</string></identifiers></AudiencePatchRequest>"""
    answer = criteo.raw("PATCH", f"{USERLIST}/{audience}", body, content_type=content_type)
    assert answer.status == 200, answer.text
    assert (answer.json["nbValidIdentifiers"], answer.json["nbInvalidIdentifiers"]) == (2, 1)
    assert criteo.lines(audience) == (2, 2)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_gum_caller_in_xml(criteo: Criteo, audience: int) -> None:
    body = b"<AudiencePatchRequest><operation>add</operation><schema>gum</schema><identifiers><string>k-1</string></identifiers><gumCallerId>42</gumCallerId></AudiencePatchRequest>"
    answer = criteo.raw("PATCH", f"{USERLIST}/{audience}", body, content_type="application/xml")
    assert answer.status == 200, answer.text
    assert criteo.lines(audience) == (1, 0)


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
@pytest.mark.parametrize("names", [("identifiers", "identifiers"), ("identifiers[0]", "identifiers[1]"), ("identifiers[]", "identifiers[]")], ids=["repeated", "indexed", "brackets"])
def test_identifiers_in_a_form(criteo: Criteo, audience: int, names: tuple[str, str]) -> None:
    fields = [("operation", "add"), ("schema", "email"), (names[0], "ann@example.com"), (names[1], "bob@example.com")]
    answer = criteo.raw("PATCH", f"{USERLIST}/{audience}", urlencode(fields).encode(), content_type=FORM)
    assert answer.status == 200, answer.text
    assert criteo.lines(audience) == (2, 2)


@pytest.mark.conformance(operation="update_audience_metadata", status=204)
@pytest.mark.parametrize("content_type", [*JSON_TYPES, *XML_TYPES, FORM])
def test_rename_in_every_type(criteo: Criteo, audience: int, content_type: str) -> None:
    name = unique()
    if "xml" in content_type:
        body = f"<AudiencePutRequest><name>{name}</name></AudiencePutRequest>"
    else:
        body = urlencode({"name": name}) if content_type == FORM else json.dumps({"name": name})
    answer = criteo.raw("PUT", f"/v1/audiences/{audience}", body.encode(), content_type=content_type)
    assert (answer.status, answer.body) == (204, b"")
    found = criteo.get(audience)
    assert found is not None and found.name == name


@pytest.mark.conformance(operation="create_audience", status=200)
@pytest.mark.parametrize("accept", ["application/xml", "text/xml"])
def test_create_answers_xml(criteo: Criteo, accept: str) -> None:
    body = json.dumps({"advertiserId": criteo.advertiser_id, "name": unique()}).encode()
    answer = criteo.raw("POST", USERLIST, body, content_type="application/json", accept=accept)
    assert answer.status == 200, answer.text
    root = parse(answer, accept, "AudienceCreateResponse")
    assert criteo.get(int(root.findtext("audienceId", ""))) is not None


@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.parametrize("accept", ["application/xml", "text/xml"])
def test_list_answers_xml(criteo: Criteo, accept: str) -> None:
    name = unique("<a> & 'b' \"c\" ü")
    audience = criteo.create(name)
    criteo.add(audience, "ann@example.com")
    answer = criteo.raw("GET", f"/v1/audiences?advertiserId={criteo.advertiser_id}", accept=accept)
    assert answer.status == 200, answer.text
    root = parse(answer, accept, "AudiencesGetResponse")
    rows = {row.findtext("id"): row for row in root.findall("audiences/*")}
    row = rows[str(audience)]
    assert row.tag == "AudienceResponse"
    assert (row.findtext("name"), row.findtext("advertiserId"), row.findtext("nbLines")) == (name, str(criteo.advertiser_id), "1")
    assert len(rows) == len(criteo.list(criteo.advertiser_id))


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=200)
def test_patch_answers_xml(criteo: Criteo, audience: int) -> None:
    body = json.dumps({"operation": "add", "schema": "email", "identifiers": ["ann@example.com", "jkl@gmail", "<x>"]}).encode()
    answer = criteo.raw("PATCH", f"{USERLIST}/{audience}", body, content_type="application/json", accept="application/xml")
    assert answer.status == 200, answer.text
    root = parse(answer, "application/xml", "AudiencePatchResponse")
    assert (root.findtext("operation"), root.findtext("nbValidIdentifiers"), root.findtext("nbInvalidIdentifiers")) == ("add", "1", "2")
    assert [item.text for item in root.findall("sampleInvalidIdentifiers/string")] == ["jkl@gmail", "<x>"]


@pytest.mark.conformance(operation="get_portfolio", status=200)
def test_portfolio_answers_xml(criteo: Criteo) -> None:
    answer = criteo.raw("GET", "/v1/portfolio", accept="application/xml")
    assert answer.status == 200, answer.text
    root = parse(answer, "application/xml", "ArrayOfPortfolioMessage")
    assert str(criteo.advertiser_id) in [row.findtext("advertiserId") for row in root.findall("PortfolioMessage")]


@pytest.mark.conformance(operation="create_audience", status=400)
def test_errors_answer_xml(criteo: Criteo) -> None:
    answer = criteo.raw("POST", USERLIST, b'{"name": "x"}', content_type="application/json", accept="application/xml")
    assert answer.status == 400
    assert answer.media_type == "application/xml"
    error = ElementTree.fromstring(answer.body).find("errors/*")
    assert error is not None, answer.text
    assert error.findtext("type") == "validation"
    assert error.findtext("code")


@pytest.mark.conformance(operation="get_audiences", status=200)
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", "application/json"),
        ("text/json", "text/json"),
        ("text/html", "text/html"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("image/png, */*;q=0.1", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("application/xml;q=0, application/json;q=0.1", "application/json"),
    ],
)
def test_json_out(criteo: Criteo, audience: int, accept: str, media_type: str) -> None:
    answer = criteo.raw("GET", "/v1/audiences", accept=accept)
    assert answer.status == 200, answer.text
    assert answer.media_type == media_type
    assert audience in [row["id"] for row in answer.json["audiences"]]


@pytest.mark.conformance(operation="get_audiences", status=200)
def test_json_out_without_accept(criteo: Criteo) -> None:
    answer = criteo.raw("GET", "/v1/audiences")
    assert (answer.status, answer.media_type) == (200, "application/json")


@pytest.mark.conformance(operation="get_audiences", status=200)
def test_a_content_type_without_a_body_is_no_body(criteo: Criteo) -> None:
    for content_type in ("application/json", "application/xml"):
        assert criteo.raw("GET", "/v1/audiences", content_type=content_type).status == 200


@pytest.mark.conformance(operation="get_audiences", status=406)
@pytest.mark.parametrize("accept", ["application/pdf", "image/*", "application/json;q=0", "application/x-www-form-urlencoded"])
def test_not_acceptable(criteo: Criteo, accept: str) -> None:
    answer = criteo.raw("GET", "/v1/audiences", accept=accept)
    assert answer.status == 406, answer.text
    assert_problem(answer.body, 406)


@pytest.mark.conformance(operation="create_audience", status=406)
def test_not_acceptable_changes_nothing(criteo: Criteo) -> None:
    name = unique()
    body = json.dumps({"advertiserId": criteo.advertiser_id, "name": name}).encode()
    answer = criteo.raw("POST", USERLIST, body, content_type="application/json", accept="application/pdf")
    assert answer.status == 406
    assert name not in [audience.name for audience in criteo.list()]


@pytest.mark.conformance(operation="create_audience", status=415)
@pytest.mark.parametrize("content_type", ["application/pdf", "multipart/form-data; boundary=x", "text/plain", "application/jsonp", "nonsense"])
def test_unsupported_media_type(criteo: Criteo, content_type: str) -> None:
    name = unique()
    body = json.dumps({"advertiserId": criteo.advertiser_id, "name": name}).encode()
    answer = criteo.raw("POST", USERLIST, body, content_type=content_type)
    assert answer.status == 415, answer.text
    assert_problem(answer.body, 415)
    assert name not in [audience.name for audience in criteo.list()]


@pytest.mark.conformance(operation="add_remove_users_to_audience", status=415)
def test_unsupported_media_type_with_users(criteo: Criteo, audience: int) -> None:
    body = b'{"operation": "add", "schema": "email", "identifiers": ["ann@example.com"]}'
    assert criteo.raw("PATCH", f"{USERLIST}/{audience}", body, content_type="text/csv").status == 415
    assert criteo.lines(audience) == (0, 0)
