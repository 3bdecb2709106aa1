//! The log: who may find what in it. Canaries are planted wherever a caller can write, and looked for in all of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{starting::welcome_token, support::Server};

const CANARY: &str = "c4n4ry";

#[test]
fn no_personal_data_and_no_secret_reaches_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(folder.path(), &["--log-level", "trace"]);
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
    let secrets = [&token, &secret, &access_token, &tenant_secret];
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
