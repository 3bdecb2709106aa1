//! Who may call what: Basic, tokens and their scopes, what a credential holds back, and how often.

use serde_json::{Value, json};

use crate::support::{BASE, Client, LIFECYCLE, World, basic};

/// Each operation with a body that is right: method, path, body, and whether it is the life cycle's.
fn operations() -> Vec<(&'static str, String, Value)> {
    let v1 = |path: &str| format!("{BASE}{path}");
    let v2 = |path: &str| format!("{LIFECYCLE}{path}");
    let user = json!({"ref": "u9", "firstName": "A", "lastName": "B", "email": "u9@example.com"});
    vec![
        ("GET", v1("/audiences"), Value::Null),
        ("GET", v1("/audiences/s"), Value::Null),
        ("GET", v1("/audiences/s/members"), Value::Null),
        ("GET", v1("/audiences/s/managers"), Value::Null),
        ("GET", v1("/users"), Value::Null),
        ("GET", v1("/users/ref/u1"), Value::Null),
        ("POST", v1("/audiences"), json!({"name": "x"})),
        ("PATCH", v1("/audiences/c/"), json!({"name": "x"})),
        ("POST", v1("/audiences/c/members"), json!(["u1"])),
        ("PATCH", v1("/audiences/c/members"), json!(["u1"])),
        ("DELETE", v1("/audiences/c/members/u1"), Value::Null),
        (
            "POST",
            v1("/audiences/c/managers"),
            json!([{"reference": "u1"}]),
        ),
        (
            "PATCH",
            v1("/audiences/c/managers"),
            json!([{"reference": "u1"}]),
        ),
        ("DELETE", v1("/audiences/c/managers/u1"), Value::Null),
        ("POST", v2("/users"), user),
        ("PATCH", v2("/users/ref/u1"), json!({"jobTitle": "x"})),
        ("PATCH", v2("/users/ref/u1/suspend"), Value::Null),
        ("DELETE", v2("/users/ref/u1"), Value::Null),
        ("DELETE", v1("/audiences/c"), Value::Null),
    ]
}
const READS: usize = 6;

async fn scene(client: &Client<'_>) {
    client.structure("s").await;
    client.audience("s", "c").await;
    client.user("u1").await;
}

async fn call(client: &Client<'_>, operation: &(&str, String, Value)) -> crate::support::Answer {
    let (method, path, body) = operation;
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    client.raw(method, path, body).await
}

#[tokio::test]
async fn without_a_credential_nothing_is_answered() {
    let world = World::new().await;
    let client = world.admin().await;
    scene(&client).await;
    let Client { tenant, secret, .. } = &client;
    let mut headers: Vec<Option<String>> = vec![None];
    for wrong in [
        String::new(),
        "Basic".into(),
        "Basic ***".into(),
        basic(tenant, "wrong"),
        basic(tenant, &format!("{secret}x")),
        basic("throng_000000009", secret),
        basic("", secret),
        basic(&client.id, secret),
        basic(&tenant.to_uppercase(), secret),
        format!("Bearer {secret}"),
        "Bearer x.y.z".into(),
        format!("Apikey {secret}"),
        secret.clone(),
    ] {
        headers.push(Some(wrong));
    }
    for operation in operations() {
        for header in &headers {
            let answer = call(&client.authorized(header.as_deref()), &operation).await;
            answer.refused(401);
            let challenges: Vec<&str> = answer
                .headers
                .get_all("www-authenticate")
                .iter()
                .map(|value| value.to_str().expect("is ASCII"))
                .collect();
            let expected = ["Basic realm=\"thrive\", charset=\"UTF-8\"", "Bearer"];
            assert_eq!(challenges, expected);
        }
    }
    client.get("/audiences/c").await.expect(200);
}

#[tokio::test]
async fn the_schemes_are_in_any_case() {
    let world = World::new().await;
    let client = world.admin().await;
    let bearer = client.bearer("api/read").await;
    bearer.get("/audiences").await.expect(200);
    let header = basic(&client.tenant, &client.secret);
    for scheme in ["Basic", "basic", "BASIC"] {
        let header = header.replacen("Basic", scheme, 1);
        let client = client.authorized(Some(&header));
        client.get("/audiences").await.expect(200);
    }
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let world = World::new().await;
    let client = world.admin().await;
    scene(&client).await;
    let read = client.bearer("api/read").await;
    let write = client.bearer("api/write").await;
    let webhooks = client.bearer("api/webhooks").await;
    let all = operations();
    let (reads, writes) = all.split_at(READS);
    for operation in reads {
        assert_eq!(call(&read, operation).await.status, 200, "{operation:?}");
        for lacking in [&write, &webhooks] {
            let message = call(lacking, operation).await.refused(403);
            assert!(message.contains("api/read"), "{message}");
        }
    }
    for operation in writes {
        for lacking in [&read, &webhooks] {
            let message = call(lacking, operation).await.refused(403);
            assert!(message.contains("api/write"), "{message}");
        }
        let status = call(&write, operation).await.status.as_u16();
        assert!([200, 201].contains(&status), "{status} {operation:?}");
    }
}

#[tokio::test]
async fn every_operation_takes_api_all() {
    let world = World::new().await;
    let client = world.admin().await;
    scene(&client).await;
    let all = client.bearer("api/all").await;
    for operation in operations() {
        let status = call(&all, &operation).await.status.as_u16();
        assert!([200, 201].contains(&status), "{status} {operation:?}");
    }
}

#[tokio::test]
async fn a_credential_may_hold_back_what_a_token_asks_for() {
    let world = World::new().await;
    let client = world.admin().await;
    scene(&client).await;
    let reader = world
        .client(world.workspace, "audiences:read people:read", None)
        .await;
    let bearer = reader.bearer("api/all").await;
    let all = operations();
    let (reads, writes) = all.split_at(READS);
    for client in [&reader, &bearer] {
        for operation in reads {
            assert_eq!(call(client, operation).await.status, 200, "{operation:?}");
        }
        for operation in writes {
            call(client, operation).await.refused(403);
        }
    }
    // Without the scope for people, audiences can be changed and users not seen.
    let audiences = world
        .client(world.workspace, "audiences:read audiences:write", None)
        .await;
    audiences.get("/users").await.refused(403);
    audiences
        .post("/audiences", json!({"name": "x"}))
        .await
        .refused(403);
    let body = json!({"name": "x", "parentId": "s"});
    audiences.post("/audiences", body).await.expect(201);
    // What one may not is said before what there is not.
    let body = json!({"name": "x", "parentId": "nowhere"});
    reader.post("/audiences", body).await.refused(403);
    let managers = json!([{"reference": "u1"}]);
    let path = "/audiences/nowhere/managers";
    reader.post(path, managers).await.refused(403);
}

#[tokio::test]
async fn a_portfolio_is_a_wall_too() {
    let world = World::new().await;
    let client = world.admin().await;
    scene(&client).await;
    client.structure("mine").await;
    let mine = client.get("/audiences/mine").await.expect(200);
    let id = domain::DialectId::from_hex(mine["id"].as_str().expect("an id"));
    let id = id.expect("is an id").id;
    let limited = world
        .client(
            world.workspace,
            throng_dialects::thrive::SCOPES,
            Some(vec![id]),
        )
        .await;
    limited.get("/audiences/mine").await.expect(200);
    limited.get("/audiences/s").await.refused(403);
    limited.get("/audiences/c").await.refused(403);
    limited
        .patch("/audiences/c", json!({"parentId": "mine"}))
        .await
        .refused(403);
    let body = json!({"name": "x", "parentId": "s"});
    limited.post("/audiences", body).await.refused(403);
    let page = limited.get("/audiences?perPage=1").await.expect(200);
    assert_eq!(page["results"], json!([mine]));
    assert_eq!(page["pagination"]["totalResults"], 1);
    client
        .patch("/audiences/c", json!({"parentId": "mine"}))
        .await
        .expect(200);
    limited.get("/audiences/c").await.expect(200);
}

#[tokio::test]
async fn too_many_calls_are_refused() {
    let world = World::limited(3).await;
    let client = world.admin().await;
    for remaining in ["2", "1", "0"] {
        let answer = client.get("/audiences").await;
        answer.expect(200);
        assert_eq!(answer.header("x-ratelimit-limit"), "3");
        assert_eq!(answer.header("x-ratelimit-remaining"), remaining);
    }
    for operation in operations() {
        let answer = call(&client, &operation).await;
        answer.refused(429);
        assert_eq!(answer.header("x-ratelimit-remaining"), "0");
        assert_eq!(answer.outcome.credential, Some(client.credential));
    }
}

#[tokio::test]
async fn without_the_database_everything_is_500() {
    let world = World::new().await;
    let client = world.admin().await;
    scene(&client).await;
    world.domain.store().close();
    for operation in operations().into_iter().skip(READS) {
        let answer = call(&client, &operation).await;
        answer.refused(500);
        assert!(answer.outcome.context.is_some());
    }
}
