//! The log: who may find what in it. Canaries are planted wherever a caller can write, and looked for in all of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{starting::welcome_token, support::Server};

const CANARY: &str = "c4n4ry";

#[test]
fn no_personal_data_and_no_secret_reaches_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    // Providers that are not there: what is to be sent is refused, with all that is said about it.
    let server = Server::serve(
        folder.path(),
        &[
            "--log-level",
            "trace",
            "--set",
            "channels.twilio_url=http://127.0.0.1:1",
            "--set",
            "channels.mailgun_url=http://127.0.0.1:1",
        ],
    );
    let token = welcome_token(&server);
    let master_key = std::fs::read_to_string(folder.path().join("master.key")).expect("a key");

    let structure = server
        .api(
            &token,
            "POST",
            "/structures",
            Some(&json!({"name": "Shop c4n4ry"})),
        )
        .json()["id"]
        .clone();
    let new = json!({"structure": structure, "name": "List c4n4ry", "description": "About c4n4ry", "reference": "c4n4ry"});
    let audience = server.api(&token, "POST", "/audiences", Some(&new)).json()["id"].clone();
    assert_eq!(
        server.api(&token, "POST", "/audiences", Some(&new)).status,
        409
    );
    let client = json!({"dialect": "criteo", "name": "Client c4n4ry", "structures": [structure]});
    let client = server
        .api(&token, "POST", "/credentials", Some(&client))
        .json();
    let text = |name: &str| client[name].as_str().expect("a text").to_owned();
    let (id, secret) = (text("client_id"), text("secret"));

    let members = format!("/audiences/{audience}/members/add");
    let values = json!([
        "ann.c4n4ry@example.org",
        "c4n4ry is no address",
        "375320dd9ae7ed40c4n4ry"
    ]);
    assert_eq!(
        server
            .api(
                &token,
                "POST",
                &members,
                Some(&json!({"kind": "email", "values": values}))
            )
            .status,
        200
    );
    server.api(
        &token,
        "POST",
        &members,
        Some(&json!({"kind": "c4n4ry", "values": ["c4n4ry@example.org"]})),
    );
    server.api(
        &token,
        "POST",
        &members,
        Some(&json!({"c4n4ry": "c4n4ry@example.org"})),
    );

    plant_in_accounts(&server, &token);
    let tenant_secret = plant_in_a_tree(&server, &token);
    let app_secret = plant_in_channels(&server, &token);

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let grant = format!("client_id={id}&client_secret={secret}&grant_type=client_credentials");
    let answer = server.request(
        "POST",
        "/criteo/marketing/oauth2/token",
        &form,
        Some(&grant),
    );
    let access_token = answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let wrong = "client_id=c4n4ry&client_secret=c4n4ry&grant_type=c4n4ry";
    server.request("POST", "/criteo/marketing/oauth2/token", &form, Some(wrong));
    let bearer = format!("Bearer {access_token}");
    let json_type = ("content-type", "application/json");
    let patch = json!({"operation": "add", "schema": "email", "identifiers": ["bob.c4n4ry@example.org", "c4n4ry"]}).to_string();
    let path = format!("/criteo/marketing/v1/audiences/userlist/{audience}");
    let answer = server.request(
        "PATCH",
        &path,
        &[("authorization", &bearer), json_type],
        Some(&patch),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    server.request(
        "PATCH",
        &path,
        &[("authorization", &bearer), json_type],
        Some("{\"c4n4ry\": c4n4ry"),
    );

    let headers = [
        ("authorization", "Bearer c4n4ry"),
        ("x-request-id", "c4n4ry@example.org"),
        ("user-agent", "c4n4ry"),
        ("cookie", "session=c4n4ry"),
        ("referer", "http://c4n4ry.test/"),
        ("host", "c4n4ry.test"),
        json_type,
    ];
    for path in [
        "/api/v1/audiences?after=c4n4ry&c4n4ry=1",
        "/api/v1/audiences/c4n4ry",
        "/api/v1/c4n4ry@example.org",
        "/criteo/marketing/v1/audiences/userlist/c4n4ry",
        "/criteo/c4n4ry?mail=c4n4ry@example.org",
        "/w/c4n4ry/api/v1/audiences",
        "/c4n4ry",
        "/livez?c4n4ry",
    ] {
        for method in ["GET", "POST", "C4N4RY"] {
            server.request(
                method,
                path,
                &headers,
                (method == "POST").then_some("{\"c4n4ry\":\"c4n4ry@example.org\"}"),
            );
        }
    }

    let ended = server.stop();
    assert_eq!(ended.code, Some(0));
    let log = ended.stderr.to_lowercase();
    let secrets = [&token, &secret, &access_token, &tenant_secret, &app_secret];
    for secret in secrets
        .into_iter()
        .map(String::as_str)
        .chain([CANARY, master_key.trim()])
    {
        let found = log
            .lines()
            .find(|line| line.contains(&secret.to_lowercase()));
        assert_eq!(found, None, "a secret or a canary reached the log");
    }
    lines_tell_what_happened(&ended.stderr, &audience);
}

fn plant_in_accounts(server: &Server, token: &str) {
    let api = |method: &str, path: &str, body: Value, status: u16| {
        let body = (!body.is_null()).then_some(&body);
        let answer = server.api(token, method, path, body);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        answer
    };
    let account = json!({"email": "ann.c4n4ry@example.org", "name": "Ann c4n4ry", "password": "word of c4n4ry",
        "preferences": {"c4n4ry": "c4n4ry"}, "budget": 1});
    let made = api("POST", "/accounts", account.clone(), 201).json();
    api("POST", "/accounts", account, 409);
    api(
        "POST",
        "/accounts",
        json!({"email": "c4n4ry", "password": ["c4n4ry"]}),
        422,
    );
    let path = format!("/accounts/{}", made["id"]);
    let change = json!({"password": "another c4n4ry", "budget": 2, "reason": "for c4n4ry"});
    api("PATCH", &path, change, 200);
    api("PATCH", &path, json!({"permissions": ["c4n4ry"]}), 422);
    api(
        "GET",
        "/accounts?search=c4n4ry&sort=username",
        Value::Null,
        200,
    );
    api("GET", "/accounts/c4n4ry@example.org", Value::Null, 404);
    api("GET", "/accounts/export?raw=true", Value::Null, 200);
    api("POST", &format!("{path}/password-reset"), json!({}), 204);
    let group = json!({"title": "c4n4ry", "description": "c4n4ry"});
    let group = api("POST", "/groups", group, 201).json();
    let member = format!("/groups/{}/members/{}", group["id"], made["id"]);
    api("PUT", &member, Value::Null, 204);
    let key = json!({"label": "c4n4ry", "dialect": "native"});
    let key = api("POST", &format!("{path}/keys"), key, 201).json();
    server.api("thr_c4n4ry", "GET", "/accounts/me", None);
    let key = format!("/keys/{}?reason=c4n4ry", key["id"]);
    api("DELETE", &key, Value::Null, 204);
}

/// Users, members and managers by name, which the vendor's paths hold; webhooks with their URLs. Answers the API secret.
fn plant_in_a_tree(server: &Server, token: &str) -> String {
    let new = json!({"dialect": "thrive", "name": "HR c4n4ry"});
    let made = server.api(token, "POST", "/credentials", Some(&new)).json();
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let basic = |password: &str| {
        let pair = format!("throng_000000001:{password}");
        format!("Basic {}", STANDARD.encode(pair))
    };
    let send = |password: &str, method: &str, path: &str, body: Value| {
        let basic = basic(password);
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", "application/json"),
        ];
        let body = (!body.is_null()).then(|| body.to_string());
        server.request(method, &format!("/thrive{path}"), &headers, body.as_deref())
    };
    let call = |method: &str, path: &str, body: Value, status: u16| {
        let answer = send(&secret, method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    };
    let user = json!({"ref": "c4n4ry-1", "firstName": "Ann c4n4ry", "lastName": "c4n4ry", "email": "c4n4ry.user@example.org",
        "jobTitle": "c4n4ry", "additionalFields": {"c4n4ry": "c4n4ry"}});
    call("POST", "/rest/v2/users", user.clone(), 201);
    call("POST", "/rest/v2/users", user, 409);
    call(
        "POST",
        "/rest/v2/users",
        json!({"ref": "c4n4ry", "email": "c4n4ry"}),
        400,
    );
    let tree =
        json!({"name": "Office c4n4ry", "reference": "c4n4ry/office", "category": "structure"});
    call("POST", "/rest/v1/audiences", tree, 201);
    let members = "/rest/v1/audiences/c4n4ry%2Foffice/members";
    call(
        "POST",
        members,
        json!(["c4n4ry.user@example.org", "c4n4ry-nobody"]),
        207,
    );
    call("GET", members, Value::Null, 200);
    let manager = json!([{"reference": "c4n4ry-1", "permissions": {"audienceManager": {"manageContent": true}}}]);
    call(
        "POST",
        "/rest/v1/audiences/c4n4ry%2Foffice/managers",
        manager,
        200,
    );
    call(
        "DELETE",
        &format!("{members}/c4n4ry.user%40example.org"),
        Value::Null,
        200,
    );
    call(
        "DELETE",
        &format!("{members}/c4n4ry.other%40example.org"),
        Value::Null,
        404,
    );
    call("GET", "/rest/v1/users/ref/c4n4ry-1", Value::Null, 200);
    call(
        "GET",
        "/rest/v1/users?email=c4n4ry.user@example.org",
        Value::Null,
        200,
    );
    assert_eq!(
        send("thr_c4n4ry", "GET", "/rest/v1/users", Value::Null).status,
        401
    );
    let hook =
        json!({"url": "https://c4n4ry.test/c4n4ry?c4n4ry", "secret": "c4n4ry c4n4ry c4n4ry"});
    server.api(token, "POST", "/webhooks", Some(&hook));
    let hook = json!({"url": "https://user:c4n4ry@c4n4ry.test/", "secret": "c4n4ry"});
    server.api(token, "POST", "/webhooks", Some(&hook));
    secret
}

/// Users, addresses and messages, which the vendor's paths and bodies hold; settings of providers; what comes in at hooks.
/// Answers the app's secret.
fn plant_in_channels(server: &Server, token: &str) -> String {
    let new = json!({"dialect": "sunshine", "name": "App c4n4ry"});
    let made = server.api(token, "POST", "/credentials", Some(&new)).json();
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    let (client_id, secret) = (text("client_id"), text("secret"));
    let app = "000000010f00000000000001";
    let send = |password: &str, method: &str, path: &str, body: Value| {
        let pair = format!("app_{client_id}:{password}");
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", "application/json"),
        ];
        let body = (!body.is_null()).then(|| body.to_string());
        let path = format!("/sunshine/v2/apps/{app}{path}");
        server.request(method, &path, &headers, body.as_deref())
    };
    let call = |method: &str, path: &str, body: Value, status: u16| {
        let answer = send(&secret, method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        answer.json()
    };
    let profile =
        json!({"givenName": "Ann c4n4ry", "surname": "c4n4ry", "email": "c4n4ry.app@example.org"});
    let user =
        json!({"externalId": "c4n4ry/1", "profile": profile, "metadata": {"c4n4ry": "c4n4ry"}});
    call("POST", "/users", user.clone(), 201);
    call("POST", "/users", user, 409);
    call("GET", "/users/c4n4ry%2F1", Value::Null, 200);
    call("GET", "/users/c4n4ry@example.org", Value::Null, 404);
    let group = json!({"type": "personal", "displayName": "c4n4ry", "participants": [{"userExternalId": "c4n4ry/1"}]});
    let conversation = call("POST", "/conversations", group, 201)["conversation"]["id"].clone();
    let mail = json!({"type": "mailgun", "apiKey": "c4n4ry", "domain": "c4n4ry.test", "incomingAddress": "c4n4ry@c4n4ry.test"});
    let mail = call("POST", "/integrations", mail, 201)["integration"]["id"].clone();
    let phone = json!({"type": "twilio", "accountSid": "c4n4ry", "authToken": "c4n4ry", "phoneNumberSid": "c4n4ry"});
    call("POST", "/integrations", phone, 201);
    let message = json!({"author": {"type": "business", "displayName": "c4n4ry"}, "content": {"type": "text", "text": "c4n4ry"}});
    let link = json!({"matchCriteria": {"type": "mailgun", "integrationId": mail, "address": "ann.c4n4ry@example.org"},
        "confirmation": {"type": "immediate", "message": message}, "target": {"conversationId": conversation}});
    let clients = "/users/c4n4ry%2F1/clients";
    call("POST", clients, link, 201);
    call("POST", clients, json!({"matchCriteria": "c4n4ry"}), 400);
    let messages = format!(
        "/conversations/{}/messages",
        conversation.as_str().expect("an id")
    );
    call("POST", &messages, message, 201);
    assert_eq!(send("c4n4ry", "GET", clients, Value::Null).status, 401);

    let listed = server.api(token, "GET", "/integrations", None).json();
    let id = &listed["items"][0]["id"];
    let provider = format!("/integrations/{id}/provider");
    for settings in [
        json!({"signing_key": "c4n4ry"}),
        json!({"c4n4ry": "c4n4ry"}),
        json!("c4n4ry"),
    ] {
        server.api(token, "PUT", &provider, Some(&settings));
    }
    // What a provider, or somebody who pretends to be one, tells; the token in the path is a secret too.
    let hook = listed["items"][0]["hook_url"].as_str().expect("a URL");
    let hook = hook.split_once("/hooks/").expect("a hook").1;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for path in [
        format!("/hooks/{hook}"),
        "/hooks/mailgun/c4n4ry".to_owned(),
        "/hooks/c4n4ry/c4n4ry".to_owned(),
    ] {
        let body = "sender=ann.c4n4ry@example.org&body-plain=c4n4ry&signature=c4n4ry&token=c4n4ry&timestamp=1";
        let answer = server.request("POST", &path, &form, Some(body));
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        server.request("GET", &format!("{path}?hub.verify_token=c4n4ry"), &[], None);
    }
    let sent = crate::support::wait_for("the confirmation to be refused", || {
        let items = server.api(token, "GET", "/outbox", None).json();
        let items = items["items"].as_array().expect("items").clone();
        items.into_iter().find(|item| {
            item["kind"] == "channel" && item["attempts"] != 0 && !item["last_error"].is_null()
        })
    });
    assert!(!sent["last_error"].to_string().contains("c4n4ry"), "{sent}");
    secret
}

fn lines_tell_what_happened(log: &str, audience: &Value) {
    assert!(audience.is_number());
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect();
    let requests: Vec<&Value> = lines
        .iter()
        .filter(|line| line["message"] == "request")
        .collect();
    let add = requests
        .iter()
        .find(|line| line["route"] == "/api/v1/audiences/{id}/members/add")
        .expect("the template is logged, not the path");
    assert_eq!(
        (&add["method"], &add["status"], &add["workspace"]),
        (&json!("POST"), &json!(200), &json!(1))
    );
    assert!(
        add["credential"].is_number() && add["duration_ms"].is_number(),
        "{add}"
    );
    assert_eq!(add["request_id"].as_str().map(str::len), Some(32));
    assert!(
        requests
            .iter()
            .any(|line| line["dialect"] == "criteo" && line["status"] == 200)
    );
    assert!(requests.iter().any(|line| line["route"] == "unmatched"));
}
