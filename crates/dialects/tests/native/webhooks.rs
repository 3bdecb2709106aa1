use domain::{Caller, WorkspaceNew};
use serde_json::{Value, json};

use crate::common::{Client, Server};

const PATH: &str = "/api/v1/webhooks";

async fn made(client: &Client<'_>, body: Value) -> Value {
    client.post(PATH, body).await.expect(201)
}

fn url() -> Value {
    json!({"url": "https://example.org/hook"})
}

#[tokio::test]
async fn a_webhook_is_made_listed_rotated_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.get(PATH).await.expect(200)["items"], json!([]));

    let answer = admin
        .post(
            PATH,
            json!({"url": "https://example.org/hook", "events": ["audience.members_changed", "audience.created"]}),
        )
        .await;
    let location = answer.header("location").to_owned();
    let first = answer.expect(201);
    let id = first["id"].as_i64().expect("an id");
    assert_eq!(location, format!("webhooks/{id}"));
    let secret = first["secret"].as_str().expect("a secret").to_owned();
    assert!(
        secret.starts_with("whsec_") && secret.len() == 50,
        "{secret}"
    );
    assert_eq!(
        first,
        json!({"id": id, "dialect": "native", "url": "https://example.org/hook",
            "events": ["audience.created", "audience.members_changed"], "created": first["created"],
            "updated": first["created"], "secret": secret})
    );
    let second = made(&admin, url()).await;
    assert_eq!(second["events"], json!([]));

    // The secret is in no other answer.
    let mut shown = first.clone();
    shown.as_object_mut().expect("an object").remove("secret");
    let one = format!("{PATH}/{id}");
    assert_eq!(admin.get(&one).await.expect(200), shown);
    let listed = admin.get(PATH).await;
    assert!(!listed.text.contains("whsec_") && !listed.text.contains("secret"));
    let listed = listed.expect(200);
    assert_eq!(listed["items"][0], shown);
    assert_eq!(listed["items"].as_array().expect("items").len(), 2);
    let page = admin.get(&format!("{PATH}?limit=1")).await.expect(200);
    let next = page["next"].as_str().expect("a cursor");
    let page = admin.get(&format!("{PATH}?limit=1&after={next}")).await;
    assert_eq!(page.expect(200)["items"][0]["id"], second["id"]);

    let rotated = admin.post(&format!("{one}/rotate"), json!({})).await;
    let rotated = rotated.expect(200);
    assert_eq!(rotated["id"], id);
    let new = rotated["secret"].as_str().expect("a secret");
    assert!(new.starts_with("whsec_") && new != secret);

    assert_eq!(admin.delete(&one).await.expect(204), Value::Null);
    admin.get(&one).await.problem(404, "not_found");
    admin.delete(&one).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_replay_says_how_much_is_queued() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let structure = admin.structure("Shop").await;
    let id = made(&admin, url()).await["id"].clone();
    admin.audience(structure, "Readers").await;
    let told = server.domain.webhook_claim(10).await.expect("claims");
    assert_eq!(told.len(), 1);
    assert_eq!(
        server.domain.webhook_finish(&told[0], Ok(())).await,
        Ok(true)
    );

    let path = format!("{PATH}/{id}/replay");
    let since = |time: &str| json!({"since": time});
    let replayed = admin.post(&path, since("2026-01-01T00:00:00Z")).await;
    assert_eq!(replayed.expect(200), json!({"queued": 1}));
    let later = admin.post(&path, since("2090-01-01T00:00:00+01:00")).await;
    assert_eq!(later.expect(200), json!({"queued": 0}));
    let outbox = admin.get("/api/v1/outbox?state=queued").await.expect(200);
    let item = &outbox["items"][0];
    assert_eq!(
        (&item["kind"], &item["template"], &item["recipient"]),
        (
            &json!("webhook"),
            &json!("audience.created"),
            &json!("example.org")
        )
    );
    let item = admin.get(&format!("/api/v1/outbox/{}", item["id"])).await;
    assert_eq!(item.expect(200)["text"], json!(null));
    for wrong in [
        json!({}),
        since("yesterday"),
        json!({"since": 5}),
        json!({"since": null}),
    ] {
        let answer = admin.post(&path, wrong).await;
        assert_eq!(answer.status.as_u16(), 422, "{}", answer.text);
    }
}

#[tokio::test]
async fn webhooks_need_their_scope_for_every_structure() {
    let server = Server::start().await;
    let owner = server.client(server.token("webhooks", None).await);
    let id = made(&owner, url()).await["id"].clone();
    for token in [
        server.token("audiences:read audiences:write", None).await,
        server.token("webhooks", Some(vec![])).await,
    ] {
        let client = server.client(token);
        client.get(PATH).await.problem(403, "forbidden");
        client.post(PATH, url()).await.problem(403, "forbidden");
        let one = format!("{PATH}/{id}");
        client.get(&one).await.problem(403, "forbidden");
        client.delete(&one).await.problem(403, "forbidden");
        let rotate = client.post(&format!("{one}/rotate"), json!({})).await;
        rotate.problem(403, "forbidden");
        let since = json!({"since": "2026-01-01T00:00:00Z"});
        let replay = client.post(&format!("{one}/replay"), since).await;
        replay.problem(403, "forbidden");
    }
    // It opens nothing else.
    let others = owner.get("/api/v1/audiences").await;
    others.problem(403, "forbidden");
}

#[tokio::test]
async fn a_webhook_of_another_workspace_is_none() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let id = made(&admin, url()).await["id"].clone();
    let other = WorkspaceNew {
        slug: "other".into(),
        name: "Other".into(),
        keep_identifiers: true,
    };
    let other = server
        .domain
        .workspace_create(&Caller::server(0), other)
        .await;
    let token = server
        .token_in(other.expect("is made").id, "admin", None)
        .await;
    let stranger = server.client(token);
    let one = format!("{PATH}/{id}");
    assert_eq!(stranger.get(PATH).await.expect(200)["items"], json!([]));
    stranger.get(&one).await.problem(404, "not_found");
    stranger.delete(&one).await.problem(404, "not_found");
    let rotate = stranger.post(&format!("{one}/rotate"), json!({})).await;
    rotate.problem(404, "not_found");
    let since = json!({"since": "2026-01-01T00:00:00Z"});
    let replay = stranger.post(&format!("{one}/replay"), since).await;
    replay.problem(404, "not_found");
    admin.get(&one).await.expect(200);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_by_its_field() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let long = format!("https://example.org/{}", "x".repeat(2_048));
    for url in [
        "",
        "example.org",
        "ftp://example.org/",
        "https://ann:secret@example.org/",
        "https://example.org/\u{0}",
        long.as_str(),
    ] {
        let answer = admin.post(PATH, json!({"url": url})).await;
        let problem = answer.expect(422);
        assert_eq!(problem["field"], "url", "{problem}");
    }
    for wrong in [
        json!({}),
        json!({"url": "https://example.org", "events": ["audience.lost"]}),
        json!({"url": "https://example.org", "events": ["audience.created audience.moved"]}),
        json!({"url": "https://example.org", "events": vec!["audience.created"; 101]}),
        json!({"url": "https://example.org", "secret": "0123456789abcdef"}),
        json!({"url": "https://example.org", "dialect": "other"}),
    ] {
        let answer = admin.post(PATH, wrong).await;
        assert_eq!(answer.status.as_u16(), 422, "{}", answer.text);
    }
    assert_eq!(admin.get(PATH).await.expect(200)["items"], json!([]));
}

/// A repetition answers the same webhook with the same secret, which is kept sealed for that.
#[tokio::test]
async fn making_one_can_be_repeated_safely() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let keyed = admin.key("k-1");
    let once = async || made(&keyed, url()).await;
    assert_eq!(once().await, once().await);
    let listed = admin.get(PATH).await.expect(200);
    assert_eq!(listed["items"].as_array().expect("items").len(), 1);
}

/// Whoever reads the document knows what can be wanted.
#[test]
fn every_event_is_documented() {
    let document = serde_json::to_value(throng_dialects::native::openapi()).expect("JSON");
    let of = &document["components"]["schemas"]["WebhookCreate"]["properties"]["events"];
    let text = of["description"].as_str().expect("a description");
    for kind in domain::EventKind::ALL {
        assert!(text.contains(&format!("`{}`", kind.as_str())), "{kind:?}");
    }
}
