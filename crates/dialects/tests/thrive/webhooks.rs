//! Webhooks: subscribed to, listed and ended here; what they are told, in the vendor's form and with its signature.

use std::time::Duration;

use domain::WebhookClaim;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use throng_dialects::delivery;

use crate::support::{Client, World, id};

const HOOKS: &str = "/thrive-user/rest/v1/webhooks";
const SECRET: &str = "a secret that is long enough";

async fn hook(
    client: &Client<'_>,
    method: &str,
    rest: &str,
    body: Value,
) -> crate::support::Answer {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    client.raw(method, &format!("{HOOKS}{rest}"), body).await
}

/// The body of what is to be sent, after its signature was looked at.
fn verified(world: &World, claim: &WebhookClaim, secret: &str) -> Value {
    let now_ms = world.domain.now_ms();
    let request = delivery::request(claim, now_ms);
    assert_eq!(request.url, claim.url);
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert_eq!(header("content-type"), "application/json");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(&request.body);
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header("x-hmac-signature"), format!("sha256={hex}"));
    serde_json::from_slice(&request.body).expect("JSON")
}

async fn claims(world: &World) -> Vec<WebhookClaim> {
    world.domain.webhook_claim(100).await.expect("are claimed")
}

#[tokio::test]
async fn a_webhook_is_subscribed_to_listed_and_ended() {
    let world = World::new().await;
    let client = world.admin().await;
    let body = json!({"url": "https://example.com/hook", "eventTypes": ["audience.moved", "audience.created"]});
    let made = hook(&client, "POST", "", body).await.expect(201);
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.len() > 30);
    let made_at = "2024-03-15T10:30:00.000Z";
    let shown = json!({
        "id": made["id"], "url": "https://example.com/hook",
        "eventTypes": ["audience.created", "audience.moved"], "createdAt": made_at, "updatedAt": made_at,
    });
    let mut expected = shown.clone();
    expected["secret"] = secret.into();
    assert_eq!(made, expected);
    let body = json!({"url": "https://example.com/all", "eventTypes": [], "secret": SECRET});
    let all = hook(&client, "POST", "/", body).await.expect(201);
    assert_eq!(
        (&all["secret"], &all["eventTypes"]),
        (&json!(SECRET), &json!([]))
    );
    let page = hook(&client, "GET", "", Value::Null).await.expect(200);
    assert_eq!(page["pagination"]["totalResults"], 2);
    assert_eq!(page["results"][0], shown);
    assert!(page["results"][1].get("secret").is_none());
    let second = hook(&client, "GET", "?perPage=1&page=2", Value::Null).await;
    assert_eq!(second.expect(200)["results"], json!([page["results"][1]]));
    let path = format!("/{}", id(&made));
    assert_eq!(
        hook(&client, "GET", &path, Value::Null).await.expect(200),
        shown
    );
    for base in ["/thrive/rest/v1", "/thrive", "/thrive-user"] {
        let path = format!("{base}/webhooks{path}");
        assert_eq!(client.raw("GET", &path, "").await.expect(200), shown);
    }
    hook(&client, "DELETE", &path, Value::Null).await.gone();
    for method in ["GET", "DELETE"] {
        hook(&client, method, &path, Value::Null).await.refused(404);
    }
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused() {
    let world = World::new().await;
    let client = world.admin().await;
    let url = "https://example.com/hook";
    for wrong in [
        json!({}),
        json!({"url": null}),
        json!({"url": 7}),
        json!({"url": "somewhere"}),
        json!({"url": "ftp://example.com/"}),
        json!({"url": "https://user:pass@example.com/"}),
        json!({"url": url, "eventTypes": "audience.moved"}),
        json!({"url": url, "eventTypes": ["audience.exploded"]}),
        json!({"url": url, "eventTypes": [1]}),
        json!({"url": url, "secret": "short"}),
        json!({"url": url, "secret": 7}),
        json!([]),
        json!("x"),
        Value::Null,
    ] {
        hook(&client, "POST", "", wrong).await.refused(400);
    }
    let page = hook(&client, "GET", "", Value::Null).await.expect(200);
    assert_eq!(page["results"], json!([]));
}

#[tokio::test]
async fn only_who_may_subscribes() {
    let world = World::new().await;
    let client = world.admin().await;
    let body = json!({"url": "https://example.com/hook"});
    let made = hook(&client, "POST", "", body.clone()).await.expect(201);
    let path = format!("/{}", id(&made));
    let theirs = world
        .client(world.another_workspace().await, "", None)
        .await;
    for rest in ["", path.as_str()] {
        hook(&client.authorized(None), "GET", rest, Value::Null)
            .await
            .refused(401);
        for scope in ["api/read", "api/write"] {
            let token = client.bearer(scope).await;
            hook(&token, "GET", rest, Value::Null).await.refused(403);
        }
        for scope in ["api/webhooks", "api/all"] {
            let token = client.bearer(scope).await;
            hook(&token, "GET", rest, Value::Null).await.expect(200);
        }
    }
    for method in ["GET", "DELETE"] {
        hook(&theirs, method, &path, Value::Null).await.refused(404);
    }
    // Of another protocol, or of another kind.
    let new = domain::WebhookNew {
        dialect: "native".into(),
        url: "https://example.com/native".into(),
        events: Vec::new(),
        secret: None,
        integration: None,
        detail: domain::Detail::default(),
    };
    let native = world.domain.webhook_create(&world.server(), new).await;
    let native = domain::DialectId {
        workspace: world.workspace,
        kind: domain::IdKind::Webhook,
        id: native.expect("is made").0.id,
    };
    let structure = client.structure("s").await;
    for other in [native.to_hex(), structure, "x".into(), "1".into()] {
        for method in ["GET", "DELETE"] {
            let path = format!("/{other}");
            hook(&client, method, &path, Value::Null).await.refused(404);
        }
    }
    let page = hook(&client, "GET", "", Value::Null).await.expect(200);
    assert_eq!(page["pagination"]["totalResults"], 1);
}

#[tokio::test]
async fn what_happens_is_told_in_the_vendors_form() {
    let world = World::new().await;
    let client = world.admin().await;
    let body = json!({"url": "https://example.com/hook", "secret": SECRET});
    hook(&client, "POST", "", body).await.expect(201);
    let old = client.structure("old").await;
    let new = client.structure("new").await;
    let child = client.audience("old", "c").await;
    client.users(&["u1", "u2"]).await;
    client.add("c", &["u1", "u2"]).await;
    client.delete("/audiences/c/members/u1").await.gone();
    client
        .patch("/audiences/c", json!({"parentId": "new"}))
        .await
        .expect(200);
    world.clock.advance(Duration::from_secs(1));
    let told: Vec<Value> = claims(&world)
        .await
        .iter()
        .map(|claim| verified(&world, claim, SECRET))
        .collect();
    let kinds: Vec<&str> = told
        .iter()
        .map(|body| body["eventType"].as_str().expect("a text"))
        .collect();
    assert_eq!(
        kinds,
        [
            "audience.created",
            "audience.created",
            "audience.created",
            "audience.members_changed",
            "audience.members_changed",
            "audience.moved",
        ]
    );
    let structure = json!({
        "eventType": "audience.created", "tenantId": client.tenant,
        "audience": {"id": old, "name": "old", "reference": "old", "category": "structure", "type": "manual"},
        "createdAt": "2024-03-15T10:30:00.000Z", "dispatchedAt": "2024-03-15T10:30:01.000Z",
    });
    assert_eq!(told[0], structure);
    let audience = json!({
        "id": child, "name": "c", "reference": "c", "category": "audience", "type": "manual", "parentId": old,
    });
    assert_eq!(told[3]["audience"], audience);
    assert_eq!(told[3]["members"], json!({"added": 2, "removed": 0}));
    assert_eq!(told[4]["members"], json!({"added": 0, "removed": 1}));
    let mut moved = audience;
    moved["parentId"] = new.into();
    moved["previousParentId"] = old.into();
    assert_eq!(told[5]["audience"], moved);
}
