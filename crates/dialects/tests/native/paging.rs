use serde_json::{Value, json};

use crate::common::{Client, Server};

/// Follows a list to its end by the Link header and answers the ids of each page.
async fn pages(client: &Client<'_>, path: &str, first: &str) -> Vec<Vec<i64>> {
    let (mut pages, mut query) = (Vec::new(), first.to_owned());
    loop {
        let answer = client.get(&format!("{path}{query}")).await;
        let link = answer.header("link").to_owned();
        let body = answer.expect(200);
        let items = body["items"].as_array().expect("items");
        pages.push(
            items
                .iter()
                .filter_map(|item| item["id"].as_i64())
                .collect(),
        );
        let Some(next) = body["next"].as_str() else {
            assert_eq!(link, "");
            return pages;
        };
        let target = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""))
            .expect("a link");
        assert!(target.contains(next), "{link}");
        query = target.to_owned();
    }
}

#[tokio::test]
async fn lists_are_followed_to_their_end() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut structures = Vec::new();
    for n in 0..5 {
        structures.push(admin.structure(&format!("s{n}")).await);
    }
    assert_eq!(
        pages(&admin, "/api/v1/structures", "?limit=2").await,
        [&structures[..2], &structures[2..4], &structures[4..]]
    );
    assert_eq!(
        pages(&admin, "/api/v1/structures", "").await,
        [&structures[..]]
    );
    // A page that ends with the last item names one more, empty page.
    assert_eq!(
        pages(&admin, "/api/v1/structures", "?limit=5").await,
        [&structures[..], &[]]
    );

    let mut audiences = Vec::new();
    for n in 0..4 {
        admin.audience(structures[1], &format!("other {n}")).await;
        audiences.push(admin.audience(structures[0], &format!("a{n}")).await);
    }
    let query = format!("?structure={}&limit=3", structures[0]);
    assert_eq!(
        pages(&admin, "/api/v1/audiences", &query).await,
        [&audiences[..3], &audiences[3..]]
    );

    let activity = pages(&admin, "/api/v1/activity", "?limit=4").await.concat();
    assert!(
        activity.len() >= 13 && activity.is_sorted_by(|one, next| one > next),
        "newest first: {activity:?}"
    );
    let credentials = pages(&admin, "/api/v1/credentials", "?limit=1")
        .await
        .concat();
    assert_eq!(credentials.len(), 1);
    assert_eq!(
        pages(&admin, "/api/v1/workspaces", "?limit=1")
            .await
            .concat(),
        [server.workspace]
    );
    assert_eq!(
        pages(&admin, "/api/v1/identity/conflicts", "")
            .await
            .concat(),
        Vec::<i64>::new()
    );
}

#[tokio::test]
async fn activity_says_who_did_what() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let me = admin.get("/api/v1/me").await.expect(200)["credential"].clone();
    let (_, audience) = admin.pair().await;
    admin.add(audience, &["ada@example.org"]).await;
    let answer = admin.get("/api/v1/activity?limit=1").await;
    assert!(!answer.text.contains("ada@"));
    let newest = answer.expect(200)["items"][0].clone();
    assert_eq!(
        (&newest["verb"], &newest["noun"], &newest["actor"]),
        (&json!("member_add"), &json!(audience), &me)
    );
    assert_eq!(newest["detail"], "added=1 removed=0");
}

#[tokio::test]
async fn queries_are_checked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for (query, code, field) in [
        ("limit=0", "out_of_range", "limit"),
        ("limit=1001", "out_of_range", "limit"),
        ("limit=-1", "out_of_range", "limit"),
        ("limit=ten", "out_of_range", "limit"),
        ("limit=", "out_of_range", "limit"),
        ("limit=99999999999999999999", "out_of_range", "limit"),
        ("limit=1&limit=2", "repeated", "limit"),
        ("after=1", "malformed", "after"),
        ("after=%00", "malformed", "after"),
        ("structure=one", "malformed", "structure"),
        ("struture=1", "unknown_parameter", "struture"),
    ] {
        let refused = admin
            .get(&format!("/api/v1/audiences?{query}"))
            .await
            .problem(422, code);
        assert_eq!(refused["field"], field, "{query}");
    }
    let refused = admin.get("/api/v1/structures?structure=1").await;
    refused.problem(422, "unknown_parameter");
    let full: Value = admin.get("/api/v1/structures?limit=1000").await.expect(200);
    assert_eq!(full, json!({"items": [], "next": null}));
}
