//! The paths: below both bases, with their methods only, and one slash too many.

use axum::{body::Body, http::Request};
use domain::Role;
use throng_dialects::request::Reached;

use crate::support::World;

/// Every path with its methods.
const ROUTES: [(&str, &str); 18] = [
    ("/auth/register", "POST"),
    ("/auth/jwt/login", "POST"),
    ("/auth/jwt/logout", "POST"),
    ("/auth/forgot-password", "POST"),
    ("/auth/reset-password", "POST"),
    ("/auth/request-verify-token", "POST"),
    ("/auth/verify", "POST"),
    ("/auth/google", "POST"),
    ("/auth/google/authorize", "GET"),
    ("/auth/google/callback", "GET"),
    ("/privacy/consents", "POST"),
    ("/privacy/consents/x", "GET"),
    ("/user/info", "PATCH"),
    ("/user/budget", "PATCH"),
    ("/users", "GET, DELETE"),
    ("/users/me", "GET"),
    ("/users/x", "GET"),
    ("/activity-logs", "GET"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_path_has_its_methods_below_both_bases() {
    let world = World::new().await;
    for base in ["", "/api"] {
        for (path, allow) in ROUTES {
            let path = format!("{base}{path}");
            for method in [
                "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE",
            ] {
                let answer = world.call(method, &path, None, None).await;
                if allow.split(", ").any(|known| known == method) {
                    assert_ne!(answer.status, 405, "{method} {path}");
                    continue;
                }
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("allow"), allow, "{method} {path}");
                if method != "HEAD" {
                    answer.refused(405, "Method Not Allowed");
                }
            }
            let answer = world
                .call("GET", &format!("{path}/?a=b%20c"), None, None)
                .await;
            assert_eq!(answer.status, 307, "{path}");
            assert_eq!(answer.header("location"), format!("/a2{path}?a=b%20c"));
            assert_eq!(answer.text, "");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_path_is_not_found_in_the_vendors_shape() {
    let world = World::new().await;
    for path in [
        "",
        "/",
        "/api",
        "/nothing/",
        "/users/x/y",
        "/auth//verify",
        "//users/",
    ] {
        let answer = world.call("GET", path, None, None).await;
        assert!(answer.outcome.unmatched, "{path}");
        answer.refused(404, "Not Found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_stays_in_its_workspace() {
    let world = World::new().await;
    let asked = Reached {
        authority: None,
        path: "/w/acme/a2/users/".into(),
    };
    let request = Request::get("/a2/users/").extension(asked);
    let answer = world
        .send(request.body(Body::empty()).expect("is whole"))
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, "/w/acme/a2/users")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_google_is_not_there() {
    let world = World::new().await;
    let body = Some(serde_json::json!({"id_token": "x"}));
    world
        .call("POST", "/auth/google", None, body)
        .await
        .refused(404, "Not Found");
    for path in [
        "/auth/google/authorize",
        "/auth/google/callback?code=x&state=x",
    ] {
        world
            .call("GET", path, None, None)
            .await
            .refused(404, "Not Found");
    }
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    world.me(&ann).await;
}
