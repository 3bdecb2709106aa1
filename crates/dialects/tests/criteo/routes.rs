//! Paths and methods that the API does not have.

use crate::support::{BASE, USERLIST, World};

#[tokio::test]
async fn unknown_paths_answer_in_the_vendors_shape() {
    let world = World::new().await;
    for (path, instance) in [
        ("/criteo", "/criteo"),
        ("/criteo/", "/"),
        ("/criteo/marketing", "/marketing"),
        ("/criteo/marketing/v1/campaigns", "/v1/campaigns"),
        ("/criteo/marketing/v2/audiences", "/v2/audiences"),
        (
            "/criteo/marketing/v1/audiences/userlist/1/users/2",
            "/v1/audiences/userlist/1/users/2",
        ),
        (
            "/criteo/legacy/marketing/v1/audiences/1/2",
            "/v1/audiences/1/2",
        ),
        ("/criteo/%ff", "/%ff"),
    ] {
        for method in ["GET", "POST", "PURGE"] {
            let answer = world
                .send(World::request(method, path, &[], "".into()))
                .await;
            answer.assert_problem(404, "route-not-found");
            assert_eq!(answer.json()["errors"][0]["instance"], instance);
            assert!(answer.outcome.unmatched);
        }
    }
    let xml = [("accept", "text/xml")];
    let answer = world
        .send(World::request("GET", "/criteo/x", &xml, "".into()))
        .await;
    assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
}

#[tokio::test]
async fn known_paths_say_their_methods() {
    let world = World::new().await;
    for (path, method, allow) in [
        ("/v1/audiences".to_owned(), "POST", "GET,HEAD"),
        ("/v1/portfolio".to_owned(), "DELETE", "GET,HEAD"),
        (USERLIST.to_owned(), "GET", "POST"),
        (USERLIST.to_owned(), "PUT", "POST"),
        (format!("{USERLIST}/1"), "GET", "PATCH"),
        (format!("{USERLIST}/1/users"), "POST", "DELETE"),
        ("/v1/audiences/1".to_owned(), "GET", "DELETE,PUT"),
        ("/v1/audiences/1".to_owned(), "OPTIONS", "DELETE,PUT"),
    ] {
        let answer = world
            .send(World::request(
                method,
                &format!("{BASE}{path}"),
                &[],
                "".into(),
            ))
            .await;
        answer.assert_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert!(!answer.outcome.unmatched);
    }
}
