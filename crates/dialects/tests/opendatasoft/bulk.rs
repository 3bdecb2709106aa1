//! Invited and provisioned, many at once.

use serde_json::{Value, json};

use crate::common::Server;

fn codes(answer: &Value) -> Vec<String> {
    let count = answer.as_object().expect("an object").len();
    let code = |number: usize| {
        let item = &answer[number.to_string()];
        match item["status_code"].as_str() {
            Some("success") => {
                assert!(item["data"]["email"].is_string() && item.get("error").is_none());
                "success".to_owned()
            }
            status => {
                assert_eq!(status, Some("error"));
                assert!(item["error"]["message"].is_string() && item.get("data").is_none());
                item["error"]["error_code"]
                    .as_str()
                    .expect("a code")
                    .to_owned()
            }
        }
    };
    (0..count).map(code).collect()
}

#[tokio::test]
async fn each_invitation_has_its_own_result() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin.group(json!({"title": "G"})).await;
    let items = json!([
        {"email": "ann@example.com", "groups": [{"uid": group}], "permissions": ["edit_page"]},
        {"email": "ANN@example.com"},
        {"email": "root@example.com"},
        {"email": "x"},
        {"email": ""},
        {"email": null},
        {},
        "x",
        null,
        {"email": "a@example.com", "permissions": ["x"]},
        {"email": "a@example.com", "groups": [{"uid": "x"}]},
        {"email": "a@example.com", "groups": [{"title": "x"}]},
        {"email": "a@example.com", "groups": "x"},
        {"email": "a@example.com", "username": "root"},
        {"email": "a@example.com", "username": "export"},
        {"email": "a@example.com", "first_name": 1},
        {"email": "a@example.com", "explore_limits": 1},
        {"email": "bob@example.com", "role": "admin", "is_ods": true, "password": "x"},
    ]);
    let answer = admin.post("/users/invite/", items).await.expect(200);
    let mut expected = vec![
        "success",
        "already-member",
        "already-member",
        "invalid-email",
        "invalid-email",
    ];
    expected.extend(["validation_error"; 5]);
    expected.extend(["unknown-group"; 2]);
    expected.extend(["validation_error"; 5]);
    expected.push("success");
    assert_eq!(codes(&answer), expected);
    assert_eq!(admin.names("/users/").await, ["ann", "bob", "root"]);
    assert_eq!(
        admin.get("/users/bob/").await.expect(200)["permissions"],
        json!([])
    );
    let members = admin.names(&format!("/groups/{group}/users/")).await;
    assert_eq!(members, ["ann"]);
    let mails = server
        .domain
        .outbox_list(&domain::Caller::server(server.workspace), None, None, 100)
        .await
        .expect("is read");
    assert_eq!(mails.len(), 2);
    assert_eq!(
        admin.post("/users/invite/", json!([])).await.expect(200),
        json!({})
    );
}

#[tokio::test]
async fn a_word_of_a_path_is_nobodys_name() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for word in ["export", "Invite", "provision", "batch"] {
        let user = admin.invite(word, json!({})).await;
        let name = user["username"].as_str().expect("a name");
        assert_ne!(name.to_lowercase(), word.to_lowercase());
        admin.get(&format!("/users/{name}/")).await.expect(200);
    }
}

#[tokio::test]
async fn a_request_holds_a_thousand() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut items: Vec<Value> = (0..1_001)
        .map(|number| json!({"email": format!("u{number}@example.com")}))
        .collect();
    for path in ["/users/invite/", "/users/provision/"] {
        admin
            .post(path, json!(items))
            .await
            .invalid("non_field_errors");
    }
    items.pop();
    let answer = admin.post("/users/invite/", json!(items)).await;
    assert_eq!(codes(&answer.expect(200)), vec!["success"; 1_000]);
    assert!(answer.text.starts_with("{\"0\":") && answer.text.contains("},\"2\":{"));
}

#[tokio::test]
async fn provisioned_users_come_through_a_provider() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let one = json!({
        "email": "ann@example.com", "identity_provider": {"uid": "company"},
        "identity_provider_attributes": {"sub": "s-1", "deep": {"x": [null]}},
    });
    let answer = admin.post("/users/provision/", one).await.expect(200);
    assert_eq!(
        answer["0"]["data"]["identity_providers"],
        json!([{"uid": "company"}])
    );
    let company = json!({"uid": "company"});
    let of = |fields: Value| {
        let mut item = json!({"email": "a@example.com", "identity_provider": company});
        for (name, value) in fields.as_object().expect("an object") {
            item[name] = value.clone();
        }
        item
    };
    let items = json!([
        of(json!({"email": "bob@example.com", "identity_provider": {"uid": "google"}})),
        of(json!({"identity_provider": {"uid": "x"}})),
        of(json!({"identity_provider": null})),
        of(json!({"identity_provider": "company"})),
        of(json!({"identity_provider": {}})),
        of(json!({"identity_provider_attributes": "x"})),
        of(json!({"identity_provider_attributes": {"sub": 1}})),
        of(json!({"identity_provider_attributes": {"sub": ""}})),
        of(json!({"identity_provider_attributes": {"subject": "s-1"}})),
        of(json!({"email": "ANN@example.com"})),
        of(json!({"email": null})),
        {"email": "a@example.com"},
    ]);
    let answer = admin.post("/users/provision/", items).await.expect(200);
    let mut expected = vec!["success", "unknown-identity-provider"];
    expected.extend(["validation_error"; 6]);
    expected.extend([
        "already-member",
        "already-member",
        "validation_error",
        "validation_error",
    ]);
    assert_eq!(codes(&answer), expected);
    assert_eq!(admin.names("/users/").await, ["ann", "bob", "root"]);
    let mails = server
        .domain
        .outbox_list(&domain::Caller::server(server.workspace), None, None, 100)
        .await;
    assert!(mails.expect("is read").is_empty());
}

#[tokio::test]
async fn a_list_must_be_one() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for body in ["", "{}", "null", "1", "\"x\""] {
        admin
            .raw("POST", "/users/invite/", body)
            .await
            .invalid("non_field_errors");
        if body != "{}" {
            admin
                .raw("POST", "/users/provision/", body)
                .await
                .invalid("non_field_errors");
        }
    }
    assert_eq!(admin.names("/users/").await, ["root"]);
}
