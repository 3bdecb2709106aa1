//! The token endpoints: client credentials, scopes, and the tenant in the path.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Client, World, basic};

const PUBLIC: &str = "/thrive/oauth2/token";
const WEBHOOK: &str = "/thrive-user/oauth2/token";

async fn ask(client: &Client<'_>, path: &str, form: &str) -> Answer {
    let path = path.replace("TENANT", &client.tenant);
    let client = client.authorized(None);
    let answer = client.raw("POST", &path, form.to_owned()).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    answer
}

fn form(client: &Client<'_>) -> String {
    format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        client.id, client.secret
    )
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text).expect("JSON")
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(json(answer)["error"], error, "{}", answer.text);
}

#[tokio::test]
async fn each_mount_issues_its_scopes() {
    let world = World::new().await;
    let client = world.admin().await;
    let good = form(&client);
    for (mount, scope, granted) in [
        (PUBLIC, "", "api/all api/read api/write"),
        (PUBLIC, "&scope=", "api/all api/read api/write"),
        (PUBLIC, "&scope=api%2Fread", "api/read"),
        (PUBLIC, "&scope=api/write+api/read", "api/write api/read"),
        (WEBHOOK, "", "api/webhooks api/all"),
        (WEBHOOK, "&scope=api/webhooks", "api/webhooks"),
        (WEBHOOK, "&scope=api/all", "api/all"),
    ] {
        for slash in ["", "/"] {
            let path = format!("{mount}/TENANT{slash}");
            let answer = ask(&client, &path, &format!("{good}{scope}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let body = json(&answer);
            assert_eq!(body["token_type"], "Bearer");
            assert_eq!(body["expires_in"], 3600);
            assert_eq!(body["scope"], granted, "{mount} {scope}");
            assert!(
                body["access_token"]
                    .as_str()
                    .is_some_and(|it| it.len() > 50)
            );
            assert_eq!(answer.outcome.credential, Some(client.credential));
        }
    }
    for (mount, scope) in [
        (PUBLIC, "api/webhooks"),
        (PUBLIC, "api/read+x"),
        (PUBLIC, "api/read,api/write"),
        (WEBHOOK, "api/read"),
        (WEBHOOK, "api/write"),
    ] {
        let path = format!("{mount}/TENANT");
        let answer = ask(&client, &path, &format!("{good}&scope={scope}")).await;
        assert_refused(&answer, 400, "invalid_scope");
    }
}

#[tokio::test]
async fn a_client_may_use_basic() {
    let world = World::new().await;
    let client = world.admin().await;
    let path = format!("{PUBLIC}/{}", client.tenant);
    let grant = "grant_type=client_credentials";
    let ask = async |header: String| {
        let client = client.authorized(Some(&header));
        client.raw("POST", &path, grant).await
    };
    let answer = ask(basic(&client.id, &client.secret)).await;
    assert_eq!(answer.status, 200);
    let wrong = ask(basic(&client.id, "thr_wrong")).await;
    assert_refused(&wrong, 401, "invalid_client");
    assert!(wrong.header("www-authenticate").starts_with("Basic "));
    // The tenant's own pair is for the API, not for tokens.
    let tenant = ask(basic(&client.tenant, &client.secret)).await;
    assert_refused(&tenant, 401, "invalid_client");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_the_rfc() {
    let world = World::new().await;
    let client = world.admin().await;
    let good = form(&client);
    let path = format!("{PUBLIC}/TENANT");
    for (body, status, error) in [
        (String::new(), 400, "invalid_request"),
        ("{}".into(), 400, "invalid_request"),
        (
            good.replace("client_credentials", "password"),
            400,
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials".into(),
            401,
            "invalid_client",
        ),
        (
            good.replace(&client.secret, &client.secret[1..]),
            401,
            "invalid_client",
        ),
        (
            good.replace(&client.id, &client.tenant),
            401,
            "invalid_client",
        ),
        (format!("{good}&client_id=x"), 400, "invalid_request"),
        ("grant_type=%ff".into(), 400, "invalid_request"),
    ] {
        assert_refused(&ask(&client, &path, &body).await, status, error);
    }
    for method in ["GET", "PUT", "DELETE"] {
        let path = format!("{PUBLIC}/{}", client.tenant);
        let answer = client.raw(method, &path, "").await;
        assert_refused(&answer, 405, "invalid_request");
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn the_tenant_is_the_clients() {
    let world = World::new().await;
    let client = world.admin().await;
    let workspace = world.another_workspace().await;
    let other = world.client(workspace, "", None).await;
    for tenant in [
        other.tenant.as_str(),
        "throng_00000zzzz",
        "throng_",
        "x",
        "eu-west-2_AbcdEfghI",
        "%ff",
        "throng_000000001%00",
    ] {
        for mount in [PUBLIC, WEBHOOK] {
            let answer = ask(&client, &format!("{mount}/{tenant}"), &form(&client)).await;
            assert_refused(&answer, 401, "invalid_client");
        }
    }
    let path = format!("{PUBLIC}/TENANT");
    let answer = ask(&other, &path, &form(&other)).await;
    assert_eq!(answer.status, 200);
    let path = format!("{PUBLIC}/{}", other.tenant);
    let answer = other.mounted(world.workspace).authorized(None);
    let answer = answer.raw("POST", &path, form(&other)).await;
    assert_refused(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn a_token_ends_after_an_hour_and_with_its_client() {
    let world = World::new().await;
    let client = world.admin().await;
    let bearer = client.bearer("api/read").await;
    world.clock.advance(Duration::from_secs(3_599));
    bearer.get("/audiences").await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    bearer.get("/audiences").await.refused(401);
    let bearer = client.bearer("api/read").await;
    bearer.get("/audiences").await.expect(200);
    let context = world.server();
    let revoked = world.domain.credential_revoke(&context, client.credential);
    revoked.await.expect("is revoked");
    bearer.get("/audiences").await.refused(401);
    client.get("/audiences").await.refused(401);
}

#[tokio::test]
async fn tokens_count_as_calls() {
    let world = World::limited(2).await;
    let client = world.admin().await;
    let path = format!("{PUBLIC}/TENANT");
    for remaining in ["1", "0"] {
        let answer = ask(&client, &path, &form(&client)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-remaining"), remaining);
    }
    let answer = ask(&client, &path, &form(&client)).await;
    assert_refused(&answer, 429, "too_many_requests");
    client.get("/audiences").await.refused(429);
}
