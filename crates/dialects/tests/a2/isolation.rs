//! The wall between workspaces: every route with the other workspace's ids and tokens.

use axum::http::Request;
use domain::{Mount, Role};
use serde_json::{Value, json};

use crate::support::{Answer, User, World};

/// Every route that takes an id, with this one in it.
fn with_id(user: &User) -> Vec<(&'static str, String, Option<Value>)> {
    let id = &user.id;
    let consent =
        json!({"email": user.email, "user_id": id, "policy_version": "1", "is_agreed": true});
    vec![
        ("GET", format!("/users/{id}"), None),
        (
            "PATCH",
            "/user/info".into(),
            Some(json!({"id": id, "name": "Somebody"})),
        ),
        (
            "PATCH",
            "/user/budget".into(),
            Some(json!({"id": id, "budget": 5})),
        ),
        ("DELETE", "/users".into(), Some(json!({"id": id}))),
        ("POST", "/privacy/consents".into(), Some(consent)),
        ("GET", format!("/privacy/consents/{id}"), None),
    ]
}

async fn mounted(
    world: &World,
    workspace: i64,
    token: Option<&str>,
    (method, path, body): (&str, String, Option<Value>),
) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/a2{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mount = Mount {
        workspace: Some(workspace),
    };
    let request = request
        .header("content-type", "application/json")
        .extension(mount);
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    world
        .send(request.body(body.into()).expect("is whole"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_workspace_is_nobody() {
    let world = World::new().await;
    let acme = world.workspace("acme").await;
    let root = world.user_in(acme, "root@example.com", Role::Admin).await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    // The same numbers are somebody there, so that only the workspace in the id tells them apart.
    for number in 0..8 {
        world
            .user_in(acme, &format!("u{number}@example.com"), Role::Advertiser)
            .await;
    }
    for route in with_id(&ann) {
        let shown = format!("{} {}", route.0, route.1);
        let answer = mounted(&world, acme, Some(&root.token), route).await;
        assert_eq!(answer.status, 404, "{shown}: {}", answer.text);
        assert_eq!(answer.outcome.workspace, Some(acme), "{shown}");
        answer.refused(404, "Not Found");
    }
    let route = ("GET", format!("/users?id={}", ann.id), None);
    let found = mounted(&world, acme, Some(&root.token), route)
        .await
        .expect(200);
    assert_eq!(found, json!([]));
    let all = mounted(
        &world,
        acme,
        Some(&root.token),
        ("GET", "/users".into(), None),
    )
    .await;
    assert!(!all.text.contains("ann@example.com"));
    let log = ("GET", "/activity-logs".into(), None);
    let log = mounted(&world, acme, Some(&root.token), log).await;
    assert!(!log.text.contains(&ann.id));
    assert_eq!(world.me(&ann).await["name"], "Ann Lee");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_workspace_opens_no_route() {
    let world = World::new().await;
    let acme = world.workspace("acme").await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let mut routes = with_id(&ann);
    routes.retain(|(_, path, _)| !path.starts_with("/privacy"));
    for (method, path) in [
        ("GET", "/users"),
        ("GET", "/users/me"),
        ("GET", "/activity-logs"),
        ("POST", "/auth/jwt/logout"),
    ] {
        routes.push((method, path.into(), None));
    }
    for workspace in [acme, -1] {
        for token in [&ann.token, &world.admin.token] {
            for route in routes.clone() {
                let answer = mounted(&world, workspace, Some(token), route).await;
                answer.refused(401, "Unauthorized");
            }
        }
    }
    world.me(&ann).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_none_is_not_found() {
    let world = World::new().await;
    for path in [
        "/auth/register",
        "/auth/jwt/login",
        "/auth/verify",
        "/auth/forgot-password",
    ] {
        let answer = mounted(&world, -1, None, ("POST", path.into(), Some(json!({})))).await;
        answer.refused(404, "Not Found");
    }
}
