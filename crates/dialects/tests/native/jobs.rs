//! Work that takes longer than a request: a tree too large to be deleted at once.

use domain::limits;
use serde_json::json;

use crate::{accounts::all, common::Server};

#[tokio::test]
async fn a_large_tree_is_hidden_at_once_and_deleted_by_a_job() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (structure, audience) = admin.pair().await;
    for n in 0..limits::DELETE_NODES_MAX {
        admin.audience(structure, &format!("a{n}")).await;
    }
    let none = admin.get("/api/v1/jobs").await.expect(200);
    assert_eq!(none, json!({"items": [], "next": null}));
    // Of this structure only: what it may delete it is told about.
    let token = server
        .token("structures:write", Some(vec![structure]))
        .await;
    let path = format!("/api/v1/structures/{structure}");
    let answer = server
        .client(token.clone())
        .delete(&format!("{path}?with_audiences=true"))
        .await;
    let location = answer.header("location").to_owned();
    let job = answer.expect(202);
    let id = job["id"].as_i64().expect("an id");
    assert_eq!(location, format!("../jobs/{id}"));
    let total = limits::DELETE_NODES_MAX + 2;
    assert_eq!(
        (&job["state"], &job["noun"], &job["done"], &job["total"]),
        (
            &json!("running"),
            &json!(structure),
            &json!(0),
            &json!(total)
        )
    );
    assert_eq!(job["finished"], json!(null));
    let at = format!("/api/v1/jobs/{id}");
    assert_eq!(admin.get(&at).await.expect(200), job);
    assert_eq!(server.client(token).get(&at).await.expect(200), job);
    let other = admin.structure("Other").await;
    let token = server.token("structures:write", Some(vec![other])).await;
    let stranger = server.client(token);
    stranger.get(&at).await.problem(403, "forbidden");

    for gone in [path, format!("/api/v1/audiences/{audience}")] {
        admin.get(&gone).await.problem(404, "not_found");
    }
    let left = admin.get("/api/v1/audiences").await.expect(200);
    assert_eq!(left["items"], json!([]));
    while server.domain.jobs_run().await.expect("goes on") {}
    let done = admin.get(&at).await.expect(200);
    assert_eq!(
        (&done["state"], &done["done"], &done["total"]),
        (&json!("done"), &json!(total), &json!(total))
    );
    assert!(done["finished"].is_string());
    let listed = admin.get("/api/v1/jobs?limit=1").await.expect(200);
    assert_eq!(all(&listed, "id"), [json!(id)]);
    let last = listed["next"].as_str().expect("one more page");
    let empty = admin.get(&format!("/api/v1/jobs?after={last}")).await;
    assert_eq!(empty.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn jobs_are_for_those_who_write() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for missing in ["999", "x", "0"] {
        let path = format!("/api/v1/jobs/{missing}");
        admin.get(&path).await.problem(404, "not_found");
    }
    let reader = server.client(server.token("audiences:read", None).await);
    for path in ["/api/v1/jobs", "/api/v1/jobs/1"] {
        reader.get(path).await.problem(403, "forbidden");
    }
    let refused = admin.get("/api/v1/jobs?state=done").await;
    refused.problem(422, "unknown_parameter");
}
