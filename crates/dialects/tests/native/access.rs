use serde_json::json;

use crate::common::{Client, Server};

/// Every operation, with a body that would do.
fn everything(
    structure: i64,
    audience: i64,
) -> Vec<(
    &'static str,
    String,
    Option<serde_json::Value>,
    &'static str,
)> {
    let (s, a) = (
        format!("/api/v1/structures/{structure}"),
        format!("/api/v1/audiences/{audience}"),
    );
    let emails = || Some(json!({"kind": "email", "values": ["ada@example.org"]}));
    let managers =
        || Some(json!({"managers": [{"name": "ada@example.org", "permissions": ["insights"]}]}));
    vec![
        ("GET", "/api/v1/workspaces".into(), None, "installation"),
        (
            "POST",
            "/api/v1/workspaces".into(),
            Some(json!({"slug": "b", "name": "B"})),
            "installation",
        ),
        ("GET", "/api/v1/structures".into(), None, "audiences:read"),
        (
            "POST",
            "/api/v1/structures".into(),
            Some(json!({"name": "new"})),
            "structures:write",
        ),
        ("GET", s.clone(), None, "audiences:read"),
        (
            "PATCH",
            s.clone(),
            Some(json!({"name": "x"})),
            "structures:write",
        ),
        (
            "PATCH",
            s.clone(),
            Some(json!({"control": "both"})),
            "admin",
        ),
        ("GET", "/api/v1/jobs".into(), None, "audiences:write"),
        ("GET", "/api/v1/audiences".into(), None, "audiences:read"),
        (
            "POST",
            "/api/v1/audiences".into(),
            Some(json!({"structure": structure, "name": "n"})),
            "audiences:write",
        ),
        ("GET", a.clone(), None, "audiences:read"),
        (
            "PATCH",
            a.clone(),
            Some(json!({"name": "x"})),
            "audiences:write",
        ),
        (
            "PATCH",
            format!("{a}?dry_run=true"),
            Some(json!({"parent": structure})),
            "audiences:write",
        ),
        ("GET", format!("{a}/members"), None, "audiences:read"),
        ("GET", format!("{a}/members/export"), None, "audiences:read"),
        ("GET", format!("{a}/managers"), None, "audiences:read"),
        (
            "POST",
            format!("{a}/managers"),
            managers(),
            "audiences:write",
        ),
        (
            "PUT",
            format!("{a}/managers"),
            managers(),
            "audiences:write",
        ),
        (
            "DELETE",
            format!("{a}/managers/999"),
            None,
            "audiences:write",
        ),
        ("GET", format!("{a}/members/count"), None, "audiences:read"),
        (
            "POST",
            format!("{a}/members/add"),
            emails(),
            "audiences:write",
        ),
        (
            "POST",
            format!("{a}/members/contains"),
            emails(),
            "audiences:read",
        ),
        (
            "POST",
            format!("{a}/members/remove"),
            emails(),
            "audiences:write",
        ),
        (
            "POST",
            format!("{a}/members/replace"),
            emails(),
            "audiences:write",
        ),
        (
            "POST",
            format!("{a}/members/empty"),
            Some(json!({})),
            "audiences:write",
        ),
        ("GET", "/api/v1/channels".into(), None, "audiences:read"),
        ("GET", "/api/v1/integrations".into(), None, "integrations"),
        (
            "POST",
            "/api/v1/integrations".into(),
            Some(json!({"kind": "custom"})),
            "integrations",
        ),
        (
            "DELETE",
            "/api/v1/integrations/999".into(),
            None,
            "integrations",
        ),
        ("GET", "/api/v1/credentials".into(), None, "admin"),
        (
            "POST",
            "/api/v1/credentials".into(),
            Some(json!({"dialect": "native", "name": "c"})),
            "admin",
        ),
        ("DELETE", "/api/v1/credentials/999".into(), None, "admin"),
        ("GET", "/api/v1/identity/conflicts".into(), None, "admin"),
        ("GET", "/api/v1/activity".into(), None, "admin"),
        ("DELETE", a, None, "audiences:write"),
        ("DELETE", s, None, "structures:write"),
    ]
}

async fn send(
    client: &Client<'_>,
    method: &str,
    path: &str,
    body: &Option<serde_json::Value>,
) -> crate::common::Answer {
    let media_type = body.as_ref().map(|_| "application/json");
    client
        .raw(
            method,
            path,
            media_type,
            body.as_ref()
                .map(|body| body.to_string())
                .unwrap_or_default(),
        )
        .await
}

#[tokio::test]
async fn every_operation_needs_its_scope_and_a_token() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (structure, audience) = admin.pair().await;
    for (method, path, body, scope) in everything(structure, audience) {
        let refused = send(&server.stranger(), method, &path, &body).await;
        assert!(
            refused.header("www-authenticate").starts_with("Bearer"),
            "{method} {path}"
        );
        refused.problem(401, "unauthenticated");
        // Every scope but the one that is needed; admin includes all but one of them.
        let others = [
            "audiences:read",
            "audiences:write",
            "structures:write",
            "people:read",
            "people:write",
            "webhooks",
            "channels",
            "integrations",
            "admin",
            "installation",
        ];
        let implied = |other: &&str| *other == "admin" && scope != "installation";
        let others: Vec<&str> = others
            .into_iter()
            .filter(|other| *other != scope && !implied(other))
            .collect();
        let client = server.client(server.token(&others.join(" "), None).await);
        send(&client, method, &path, &body)
            .await
            .problem(403, "forbidden");
    }
    for (method, path, body, scope) in everything(structure, audience) {
        let mut client = server.client(server.token(scope, None).await);
        if path.ends_with("/credentials") && method == "POST" {
            client = admin.clone();
        }
        let answer = send(&client, method, &path, &body).await;
        // An unknown credential, and a structure in which an audience was made above.
        let as_expected = answer.status.is_success()
            || matches!(answer.status.as_u16(), 404 | 409) && method == "DELETE";
        assert!(as_expected, "{method} {path}: {}", answer.text);
        let outcome = answer.outcome.expect("the log is told who called");
        assert_eq!(outcome.workspace, Some(server.workspace));
        assert!(outcome.credential.is_some());
    }
}

#[tokio::test]
async fn a_portfolio_is_a_limit() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (mine, my_audience) = admin.pair().await;
    let (theirs, their_audience) = admin.pair().await;
    let client = server.client(server.token("admin", Some(vec![mine])).await);
    for (method, path, body, _) in everything(theirs, their_audience) {
        let named = [theirs, their_audience]
            .iter()
            .any(|id| path.split(['/', '?']).any(|part| part == id.to_string()));
        if named
            || body
                .as_ref()
                .is_some_and(|body| body["structure"] == theirs)
        {
            send(&client, method, &path, &body)
                .await
                .problem(403, "forbidden");
        }
    }
    client
        .get(&format!("/api/v1/audiences?structure={theirs}"))
        .await
        .problem(403, "forbidden");
    client
        .post("/api/v1/structures", json!({"name": "new"}))
        .await
        .problem(403, "forbidden");
    let ids = async |path: &str| {
        client.get(path).await.expect(200)["items"]
            .as_array()
            .map(|items| {
                items
                    .iter()
                    .map(|item| item["id"].clone())
                    .collect::<Vec<_>>()
            })
    };
    assert_eq!(ids("/api/v1/structures").await, Some(vec![json!(mine)]));
    assert_eq!(
        ids("/api/v1/audiences").await,
        Some(vec![json!(my_audience)])
    );
    client.add(my_audience, &["ada@example.org"]).await;
    // Nobody gives what they do not have.
    let wider = json!({"dialect": "native", "name": "c", "structures": [theirs]});
    client
        .post("/api/v1/credentials", wider)
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn only_a_bearer_token_of_this_protocol_will_do() {
    let server = Server::start().await;
    let token = server.token("admin", None).await;
    let me = async |authorization: &str| {
        server
            .stranger()
            .with("authorization", authorization)
            .get("/api/v1/me")
            .await
    };
    me(&format!("Bearer {token}")).await.expect(200);
    me(&format!("bEARER  {token}")).await.expect(200);
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        &token,
        &format!("Basic {token}"),
        &format!("Bearer {token}x"),
        &format!("Bearer {jwt}"),
    ] {
        let refused = me(wrong).await;
        assert!(refused.outcome.is_some());
        refused.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_quota_is_told_and_kept() {
    let server = Server::with_limit(Some(3)).await;
    let client = server.client(server.token("admin", None).await);
    for remaining in [2, 1, 0] {
        let answer = client.get("/api/v1/me").await;
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=3;w=60");
        let reset = (3 - remaining) * 20;
        assert_eq!(
            answer.header("ratelimit"),
            format!("\"default\";r={remaining};t={reset}")
        );
        answer.expect(200);
    }
    let refused = client.get("/api/v1/me").await;
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&wait));
    assert_eq!(
        refused.header("ratelimit"),
        format!("\"default\";r=0;t={wait}")
    );
    refused.problem(429, "rate_limited");
    let other = server.client(server.token("admin", None).await);
    other.get("/api/v1/me").await.expect(200);
    let unlimited = Server::start().await;
    let answer = unlimited.admin().await.get("/api/v1/me").await;
    assert_eq!(answer.header("ratelimit"), "");
}
