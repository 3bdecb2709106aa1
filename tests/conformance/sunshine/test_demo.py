"""What the demo prints for this protocol, and the vendor's example for it, of which only host, ids and credentials are new."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sunshine.app import ID, App, basic
from sunshine.clients import PYTHON_9, PYTHON_17, Client, folder
from support import web
from support.process import Throng

KINDS = {"mailgun", "twilio", "messagebird", "whatsapp"}
# The seed's `create_client`, line by line.
EXAMPLE = """\
from __future__ import print_function
import time
import sunshine_conversations_client
from sunshine_conversations_client.rest import ApiException
from pprint import pprint
# Defining the host is optional and defaults to https://api.smooch.io
# See configuration.py for a list of all supported configuration parameters.
configuration = sunshine_conversations_client.Configuration(
    host = "https://api.smooch.io"
)

# The client must configure the authentication and authorization parameters
# in accordance with the API server security policy.
# Examples for each auth method are provided below, use the example that
# satisfies your auth use case.

# Configure HTTP basic authorization: basicAuth
configuration = sunshine_conversations_client.Configuration(
    username = 'YOUR_USERNAME',
    password = 'YOUR_PASSWORD'
)

# Uncomment this if you want to use JWTs
# Configure Bearer authorization (JWT): bearerAuth
# configuration = sunshine_conversations_client.Configuration(
#    access_token = 'YOUR_BEARER_TOKEN'
#)

# Enter a context with an instance of the API client
with sunshine_conversations_client.ApiClient(configuration) as api_client:
    # Create an instance of the API class
    api_instance = sunshine_conversations_client.ClientsApi(api_client)
    app_id = '5d8cff3cd55b040010928b5b' # str | Identifies the app.
    user_id_or_external_id = '42589ad070d43be9b00ff7e5' # str | The user's id or externalId.
    client_create = {"matchCriteria":{"type":"mailgun","integrationId":"582dedf230e788746891281a","primary":true,"address":"steveb@channel5.com","subject":"New message from {appName}"},"confirmation":{"type":"immediate","message":{"author":{"type":"business","displayName":"Steve","avatarUrl":"https://www.gravatar.com/image.jpg"},"content":{"type":"text","text":"Hello!"},"metadata":{"lang":"en-ca"}}},"target":{"conversationId":"029c31f25a21b47effd7be90"}} # ClientCreate |

    try:
        # Create Client
        api_response = api_instance.create_client(app_id, user_id_or_external_id, client_create)
        pprint(api_response)
    except ApiException as e:
        print("Exception when calling ClientsApi->create_client: %s\\n" % e)
"""


def example(app: App, user: str, conversation: str, integration: str, version: str) -> str:
    """The example at this server. Its second `Configuration` forgets the host of its first, and JSON's `true` is no Python:
    both have to be put right wherever it is run."""
    text = EXAMPLE.replace("    username = 'YOUR_USERNAME',", f'    host = "{app.base}",\n    username = \'YOUR_USERNAME\',').replace('"primary":true', '"primary":True')
    for old, new in (
        ("https://api.smooch.io", app.base),
        ("YOUR_USERNAME", app.key_id),
        ("YOUR_PASSWORD", app.secret),
        ("5d8cff3cd55b040010928b5b", app.app_id),
        ("42589ad070d43be9b00ff7e5", user),
        ("582dedf230e788746891281a", integration),
        ("029c31f25a21b47effd7be90", conversation),
    ):
        assert old in text
        text = text.replace(old, new)
    if version == PYTHON_17:
        # A dict is not what it takes any more.
        text = text.replace("user_id_or_external_id, client_create)", "user_id_or_external_id, sunshine_conversations_client.ClientCreate.from_dict(client_create))")
    return text


@pytest.mark.conformance(operation="get_app", status=200)
@pytest.mark.conformance(operation="get_user", status=200)
@pytest.mark.conformance(operation="get_conversation", status=200)
@pytest.mark.conformance(operation="get_integration", status=200)
def test_what_is_printed_is_there(client: Client, server: Throng, app: App) -> None:
    told = server.ready["sunshine"]
    assert set(told) == {"base", "app_id", "key_id", "secret", "user_id", "conversation_id", "integrations"}
    assert told["base"] == f"{server.url}/sunshine" and ID.fullmatch(told["app_id"])
    assert re.fullmatch(r"app_[0-9a-f]{24}", told["key_id"]) and set(told["integrations"]) == KINDS
    assert client.call("get_app")["app"]["id"] == told["app_id"]
    assert client.call("get_user", told["user_id"])["user"]["id"] == told["user_id"]
    conversation = client.call("get_conversation", told["conversation_id"])["conversation"]
    assert (conversation["type"], conversation["isDefault"]) == ("personal", True)
    assert [it["userId"] for it in client.call("list_participants", told["conversation_id"])["participants"]] == [told["user_id"]]
    for kind, integration in told["integrations"].items():
        assert client.call("get_integration", integration)["integration"]["type"] == kind
    # Under the workspace's own path as well.
    slug = server.ready["native"].get("workspace", "default")
    answer = web.request("GET", f"{server.url}/w/{slug}/sunshine/v2/apps/{told['app_id']}", headers=basic(app.key_id, app.secret))
    assert answer.status == 200, answer.text


@pytest.mark.conformance(operation="create_client", status=201)
@pytest.mark.conformance(operation="list_clients", status=200)
@pytest.mark.parametrize("version", [PYTHON_9, PYTHON_17])
def test_the_vendors_example(app: App, server: Throng, version: str) -> None:
    """As a program of its own, with nothing replaced but host, ids and credentials."""
    told = server.ready["sunshine"]
    user = app.user()
    conversation = app.conversation(user)
    program = example(app, user["id"], conversation["id"], told["integrations"]["mailgun"], version)
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(folder() / version), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "Exception" not in done.stdout, done.stdout + done.stderr
    (linked,) = app.clients(user["id"])
    # In a demo the mail is kept in the built-in outbox, which is as good as accepted: soon the client is active.
    assert (linked["type"], linked["integrationId"]) == ("mailgun", told["integrations"]["mailgun"])
    assert linked["id"] in done.stdout and linked["status"] in ("pending", "active")
    assert app.json("GET", f"/conversations/{conversation['id']}/messages")["messages"] == []
