//! Who may call what, how often, and the order in which a request is refused.

use domain::{Caller, WorkspaceNew};
use serde_json::json;

use crate::support::{BASE, NOW_MS, USERLIST, World};

const PATCH: &str = r#"{"operation":"add","schema":"email","identifiers":["a@example.org"]}"#;

/// Each operation with a body that is right, on this audience.
fn operations(world: &World, audience: i64) -> Vec<(&'static str, String, String)> {
    let create = json!({"advertiserId": world.advertiser, "name": "made"}).to_string();
    vec![
        ("GET", "/v1/audiences".into(), String::new()),
        ("GET", "/v1/portfolio".into(), String::new()),
        ("POST", USERLIST.into(), create),
        ("PATCH", format!("{USERLIST}/{audience}"), PATCH.into()),
        (
            "PUT",
            format!("/v1/audiences/{audience}"),
            r#"{"name":"y"}"#.into(),
        ),
        (
            "DELETE",
            format!("{USERLIST}/{audience}/users"),
            String::new(),
        ),
        ("DELETE", format!("/v1/audiences/{audience}"), String::new()),
    ]
}

#[tokio::test]
async fn without_a_good_token_nothing_is_answered() {
    let world = World::new().await;
    let id = world.create("x").await;
    for (method, path, body) in operations(&world, id) {
        let path = format!("{BASE}{path}");
        for header in ["", "Bearer", "Bearer x", "Basic x", "Token x", &world.token] {
            let headers: &[_] = if header.is_empty() {
                &[]
            } else {
                &[("authorization", header)]
            };
            let answer = world
                .send(World::request(method, &path, headers, body.clone().into()))
                .await;
            answer.assert_problem(401, "authorization-token-invalid");
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer error=\"invalid_token\""
            );
            assert_eq!(answer.header("x-ratelimit-limit"), "");
        }
    }
    let twice = format!("Bearer {}", world.token);
    let headers = [("authorization", &*twice), ("authorization", &*twice)];
    let answer = world
        .send(World::request(
            "GET",
            &format!("{BASE}/v1/audiences"),
            &headers,
            "".into(),
        ))
        .await;
    answer.assert_problem(401, "authorization-token-invalid");
    assert_eq!(world.listed(id).await["name"], "x");
}

#[tokio::test]
async fn the_scheme_is_in_any_case() {
    let world = World::new().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let header = format!("{scheme} {}", world.token);
        let path = format!("{BASE}/v1/audiences");
        let request = World::request("GET", &path, &[("authorization", &header)], "".into());
        assert_eq!(world.send(request).await.status, 200);
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_its_client() {
    let world = World::new().await;
    world.clock.advance(std::time::Duration::from_secs(899));
    assert_eq!(world.get("/v1/audiences").await.status, 200);
    world.clock.advance(std::time::Duration::from_secs(1));
    world
        .get("/v1/audiences")
        .await
        .assert_problem(401, "authorization-token-invalid");

    let (id, secret) = (world.client_id.clone(), world.client_secret.clone());
    let world = world.with_client(&id, &secret).await;
    assert_eq!(world.get("/v1/audiences").await.status, 200);
    world
        .domain
        .credential_revoke(&world.server(), world.credential)
        .await
        .expect("is revoked");
    world
        .get("/v1/audiences")
        .await
        .assert_problem(401, "authorization-token-invalid");
}

#[tokio::test]
async fn a_mount_takes_tokens_of_its_workspace_only() {
    let world = World::new().await;
    let new = WorkspaceNew {
        slug: "other".into(),
        name: "Other".into(),
        keep_identifiers: true,
    };
    let other = world
        .domain
        .workspace_create(&Caller::server(0), new)
        .await
        .expect("is made")
        .id;
    let path = format!("{BASE}/v1/audiences");
    let header = format!("Bearer {}", world.token);
    for (workspace, status) in [
        (Some(other), 401),
        (Some(world.workspace), 200),
        (None, 200),
    ] {
        let mut request = World::request("GET", &path, &[("authorization", &header)], "".into());
        request.extensions_mut().insert(domain::Mount { workspace });
        assert_eq!(world.send(request).await.status, status);
    }
    // The client of the other workspace sees nothing of this one, not even that it is forbidden.
    let id = world.create("x").await;
    let (_, client, secret) = world.client(other, None, "").await;
    let world = world.with_client(&client, &secret).await;
    let delete = world
        .call("DELETE", &format!("/v1/audiences/{id}"), &[], "")
        .await;
    delete.assert_problem(404, "audience-not-found");
}

#[tokio::test]
async fn outside_the_portfolio_is_forbidden_and_unknown_is_not_found() {
    let world = World::new().await;
    let (theirs, unknown) = (world.create_foreign().await, 4_503_599_627_370_495);
    for (audience, status, code) in [
        (theirs, 403, "access-denied"),
        (unknown, 404, "audience-not-found"),
        (world.advertiser, 404, "audience-not-found"),
        (0, 404, "audience-not-found"),
        (-1, 404, "audience-not-found"),
    ] {
        for (method, path, body) in operations(&world, audience).into_iter().skip(3) {
            world
                .call(method, &path, &[], body)
                .await
                .assert_problem(status, code);
        }
    }
    for advertiser in [world.foreign, unknown, -1, theirs] {
        let list = world
            .get(&format!("/v1/audiences?advertiserId={advertiser}"))
            .await;
        list.assert_problem(403, "access-denied");
        let body = json!({"advertiserId": advertiser, "name": "x"});
        world
            .json("POST", USERLIST, body)
            .await
            .assert_problem(403, "access-denied");
    }
}

#[tokio::test]
async fn a_client_that_may_only_read_does_not_write() {
    let world = World::new().await;
    let id = world.create("x").await;
    let only = Some(vec![world.advertiser]);
    let (_, client, secret) = world.client(world.workspace, only, "audiences:read").await;
    let world = world.with_client(&client, &secret).await;
    for (method, path, body) in operations(&world, id).into_iter().skip(2) {
        world
            .call(method, &path, &[], body)
            .await
            .assert_problem(403, "operation-not-allowed");
    }
    assert_eq!(world.listed(id).await["name"], "x");
}

#[tokio::test]
async fn too_many_calls_are_refused_with_the_vendors_headers() {
    let world = World::limited(8).await;
    let id = world.create("x").await;
    for remaining in (0..7).rev() {
        let answer = world.get("/v1/audiences").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit"), "8");
        assert_eq!(
            answer.header("x-ratelimit-remaining"),
            remaining.to_string()
        );
        assert_eq!(
            answer.header("x-ratelimit-reset"),
            (NOW_MS / 1_000).to_string()
        );
    }
    for (method, path, body) in operations(&world, id) {
        // Before the media types and the body are looked at.
        let wrong = [("accept", "image/png"), ("content-type", "image/png")];
        let answer = world.call(method, &path, &wrong, format!("{body}{{")).await;
        answer.assert_problem(429, "too-many-requests");
        assert_eq!(answer.header("x-ratelimit-remaining"), "0");
        let reset: i64 = answer
            .header("x-ratelimit-reset")
            .parse()
            .expect("is a number");
        assert!(
            (NOW_MS / 1_000..NOW_MS / 1_000 + 10).contains(&reset),
            "{reset}"
        );
        assert_eq!(answer.outcome.credential, Some(world.credential));
    }
}

#[tokio::test]
async fn a_refusal_comes_in_order() {
    let world = World::new().await;
    let theirs = world.create_foreign().await;
    let (id, other) = (world.create("x").await, world.create("y").await);
    let put = async |id: i64, headers: &[(&str, &str)], body: &'static str| {
        world
            .call("PUT", &format!("/v1/audiences/{id}"), headers, body)
            .await
    };
    let path = format!("{BASE}/v1/audiences/x");
    let wrong = [("content-type", "image/png")];
    let answer = world
        .send(World::request("PUT", &path, &wrong, "{".into()))
        .await;
    answer.assert_problem(401, "authorization-token-invalid");
    put(theirs, &wrong, "{")
        .await
        .assert_problem(415, "media-type-unsupported");
    put(theirs, &[], "{")
        .await
        .assert_problem(400, "body-malformed");
    put(0, &[], r#"{"name":""}"#)
        .await
        .assert_problem(400, "name-required");
    put(theirs, &[], r#"{"name":"y"}"#)
        .await
        .assert_problem(403, "access-denied");
    put(0, &[], r#"{"name":"y"}"#)
        .await
        .assert_problem(404, "audience-not-found");
    put(id, &[], r#"{"name":"y"}"#)
        .await
        .assert_problem(409, "name-must-be-unique");
    assert_eq!(put(other, &[], r#"{"name":"y"}"#).await.status, 204);
}

#[tokio::test]
async fn without_the_database_everything_is_500() {
    let world = World::new().await;
    let id = world.create("x").await;
    world.domain.store().close();
    for (method, path, body) in operations(&world, id).into_iter().skip(2) {
        let answer = world.call(method, &path, &[], body).await;
        answer.assert_problem(500, "service-unavailable");
        assert!(answer.outcome.context.is_some());
    }
}
