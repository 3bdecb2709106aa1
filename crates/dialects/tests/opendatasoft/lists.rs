//! Pages of users: their part, order, search and filters.

use axum::{body::Body, http::Request};
use serde_json::json;
use throng_dialects::request::Reached;

use crate::common::{BASE, PUBLIC_URL, Server};

#[tokio::test]
async fn pages_follow_each_other() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let items: Vec<_> = (10..35)
        .map(|number| json!({"email": format!("page.{number}@example.com")}))
        .collect();
    admin.post("/users/invite/", json!(items)).await.expect(200);
    let key = &admin.key;
    let mut path = format!("/users/?search=page&sort=-username&apikey={key}");
    let mut all = Vec::new();
    let mut pages = 0;
    loop {
        let answer = admin.get(&path).await;
        assert!(!answer.text.contains(key.as_str()));
        let page = answer.expect(200);
        assert_eq!(page["total_count"], 25);
        for user in page["results"].as_array().expect("results") {
            all.push(user["username"].as_str().expect("a name").to_owned());
        }
        pages += 1;
        let Some(next) = page["next"].as_str() else {
            break;
        };
        let start = format!("{PUBLIC_URL}{BASE}");
        path = next.strip_prefix(&start).expect("is absolute").to_owned();
        assert_eq!(
            path,
            "/users/?search=page&sort=-username&limit=20&offset=20"
        );
    }
    let expected: Vec<String> = (10..35)
        .rev()
        .map(|number| format!("page.{number}"))
        .collect();
    assert_eq!((pages, all), (2, expected));
    let none = admin.get("/users/?search=page&limit=0").await.expect(200);
    assert_eq!(
        none,
        json!({"total_count": 25, "next": null, "previous": null, "results": []})
    );
    let beyond = admin
        .get("/users/?search=page&offset=9007199254740991")
        .await
        .expect(200);
    assert_eq!(
        (&beyond["next"], &beyond["results"]),
        (&json!(null), &json!([]))
    );
    assert_eq!(
        admin
            .names("/users/?search=page&limit=2e0&offset=1.0")
            .await
            .len(),
        2
    );
    for wrong in [
        "limit=1001",
        "limit=-1",
        "limit=1.5",
        "limit=x",
        "limit=",
        "limit=nan",
        "limit=1e400",
    ] {
        admin
            .get(&format!("/users/?{wrong}"))
            .await
            .invalid("limit");
    }
    for wrong in ["offset=-1", "offset=x", "offset=9007199254740993"] {
        admin
            .get(&format!("/users/?{wrong}"))
            .await
            .invalid("offset");
    }
    admin
        .get("/users/?search=%ff")
        .await
        .refused(400, "bad_request");
}

/// Addresses in an answer begin with the server's own, or with a host name that its operator wrote down.
#[tokio::test]
async fn a_host_header_is_not_repeated() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.invite("ann", json!({})).await;
    for host in [
        "evil.example",
        "evil.example\"><script>",
        "x\\",
        "a@evil.example:80",
    ] {
        let page = admin
            .clone()
            .with("host", host)
            .get("/users/?limit=1")
            .await
            .expect(200);
        let next = format!("{PUBLIC_URL}{BASE}/users/?limit=1&offset=1");
        assert_eq!(page["next"], next.as_str());
    }
    let request = |authority: Option<&str>| {
        Request::builder()
            .uri(format!("{BASE}/users/?limit=1"))
            .header("authorization", &admin.key)
            .extension(Reached {
                authority: authority.map(str::to_owned),
                path: "/w/acme/api/users/".into(),
            })
            .body(Body::empty())
            .expect("a request")
    };
    let next = server.send(request(None)).await.expect(200)["next"].clone();
    assert_eq!(
        next,
        format!("{PUBLIC_URL}/w/acme/api/users/?limit=1&offset=1")
    );
    let own = server
        .send(request(Some("ods.example:8443")))
        .await
        .expect(200);
    assert_eq!(
        own["next"],
        "https://ods.example:8443/w/acme/api/users/?limit=1&offset=1"
    );
}

#[tokio::test]
async fn users_are_searched_sorted_and_filtered() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin
        .group(json!({"title": "G", "permissions": ["edit_theme", "edit_form"]}))
        .await;
    let people = [
        (
            "ann",
            json!({"first_name": "Élodie", "last_name": "Z", "permissions": ["edit_theme"]}),
        ),
        (
            "bob",
            json!({"first_name": "Bob", "last_name": "Y", "groups": [{"uid": group}]}),
        ),
        (
            "cid",
            json!({"first_name": "Bob", "last_name": "X", "permissions": ["edit_page"], "groups": [{"uid": group}]}),
        ),
    ];
    for (name, fields) in people {
        admin.invite(name, fields).await;
    }
    for (query, expected) in [
        ("search=ÉLODIE%20ann", &["ann"][..]),
        ("search=example.com", &["ann", "bob", "cid", "root"]),
        ("search=bob%20x@", &[]),
        ("search=bob&sort=last_name", &["cid", "bob"]),
        ("search=bob&sort=first_name,-last_name", &["bob", "cid"]),
        ("search=bob&sort=first_name&sort=last_name", &["cid", "bob"]),
        ("permissions=edit_theme", &["ann"]),
        ("permissions=edit_page,edit_theme", &[]),
        ("all_permissions=edit_theme", &["ann", "bob", "cid"]),
        (
            "all_permissions=edit_theme&all_permissions=edit_page",
            &["cid"],
        ),
        ("permissions=edit_domain", &["root"]),
        ("sort=-last_seen_at&search=a%00", &[]),
    ] {
        assert_eq!(
            admin.names(&format!("/users/?{query}")).await,
            expected,
            "{query}"
        );
    }
    for (query, field) in [
        ("sort=email", "sort"),
        ("sort=username&sort=--username", "sort"),
        ("permissions=x", "permissions"),
        ("permissions=edit_domain%00", "permissions"),
        ("all_permissions=audience:r", "all_permissions"),
    ] {
        admin.get(&format!("/users/?{query}")).await.invalid(field);
    }
    let long = format!("/users/?search={}", "a%20".repeat(11));
    admin.get(&long).await.invalid("search");
}
