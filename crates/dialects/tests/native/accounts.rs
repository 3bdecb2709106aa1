use domain::Visit;
use serde_json::{Value, json};

use crate::common::{Answer, Client, Server};

pub const PASSWORD: &str = "a long enough phrase";

impl Client<'_> {
    /// An account of this address with [`PASSWORD`].
    pub async fn account(&self, email: &str, role: &str) -> i64 {
        let body = json!({"email": email, "role": role, "password": PASSWORD});
        let made = self.post("/api/v1/accounts", body).await.expect(201);
        made["id"].as_i64().expect("an id")
    }

    /// A native key of an account, and its id.
    pub async fn account_key(&self, account: i64, permissions: Option<&[&str]>) -> (i64, String) {
        let path = format!("/api/v1/accounts/{account}/keys");
        let body = json!({"label": "test", "dialect": "native", "permissions": permissions});
        let made = self.post(&path, body).await.expect(201);
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        (made["id"].as_i64().expect("an id"), secret)
    }
}

/// The field of each item.
pub fn all(page: &Value, field: &str) -> Vec<Value> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item[field].clone()).collect()
}

/// The mails that wait: to whom, and about what.
async fn mails(admin: &Client<'_>) -> Vec<(Value, Value)> {
    let page = admin.get("/api/v1/outbox").await.expect(200);
    let (to, about) = (all(&page, "recipient"), all(&page, "template"));
    to.into_iter().zip(about).collect()
}

#[tokio::test]
async fn an_account_is_made_read_changed_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin
        .post(
            "/api/v1/groups",
            json!({"title": "Editors", "permissions": ["edit_page"]}),
        )
        .await
        .expect(201);
    let body = json!({"email": "Ann@example.org", "name": "Ann Example", "first_name": "Ann", "role": "retailer",
        "password": PASSWORD, "permissions": ["audience:r"], "groups": [group["id"]], "budget": 12.5,
        "call_limit": {"calls": 100, "per": "day"}, "preferences": {"theme": "dark", "own": [1]}});
    let answer = admin.post("/api/v1/accounts", body).await;
    assert!(!answer.text.contains("phrase") && !answer.text.contains("argon2"));
    let location = answer.header("location").to_owned();
    let made = answer.expect(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(location, format!("accounts/{id}"));
    let expected = json!({"id": id, "username": "Ann", "email": "Ann@example.org", "name": "Ann Example",
        "first_name": "Ann", "last_name": "", "role": "retailer", "administrator": false, "active": true,
        "verified": false, "has_password": true, "permissions": ["audience:r"],
        "all_permissions": ["edit_page", "audience:r"],
        "groups": [{"id": group["id"], "uid": "editors", "title": "Editors"}], "providers": [],
        "preferences": {"theme": "dark", "own": [1]}, "call_limit": {"calls": 100, "per": "day"}, "budget": 12.5,
        "credit": 0.0, "created": "2026-09-21T14:13:20.000Z", "updated": "2026-09-21T14:13:20.000Z",
        "last_seen": null, "last_sign_in": null});
    assert_eq!(made, expected);
    let path = format!("/api/v1/accounts/{id}");
    assert_eq!(admin.get(&path).await.expect(200), made);

    let change = json!({"name": null, "last_name": "Example", "budget": 10, "credit": 0.125, "reason": "May",
        "preferences": {"theme": "light"}, "call_limit": null, "permissions": ["audience:r", "audience:w"],
        "groups": [], "verified": true});
    let changed = admin.patch(&path, change).await.expect(200);
    for (field, value) in [
        ("name", json!(null)),
        ("last_name", json!("Example")),
        ("first_name", json!("Ann")),
        ("budget", json!(10.0)),
        ("credit", json!(0.125)),
        ("preferences", json!({"theme": "light", "own": [1]})),
        ("call_limit", json!(null)),
        ("all_permissions", json!(["audience:r", "audience:w"])),
        ("groups", json!([])),
        ("verified", json!(true)),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
    let ledger = admin.get(&format!("{path}/ledger")).await.expect(200);
    assert_eq!(all(&ledger, "kind"), ["credit", "budget", "budget"]);
    assert_eq!(all(&ledger, "difference"), [0.125, -2.5, 12.5]);
    assert_eq!(all(&ledger, "balance"), [0.125, 10.0, 12.5]);
    assert_eq!(all(&ledger, "reason"), ["May", "May", "opening"]);
    let newest = &ledger["items"][0]["id"];
    let older = admin
        .get(&format!("{path}/ledger?limit=1&before={newest}"))
        .await;
    let older = older.expect(200);
    assert_eq!(all(&older, "difference"), [-2.5]);
    let next = older["next"].as_str().expect("a cursor");
    let oldest = admin
        .get(&format!("{path}/ledger?limit=1&after={next}"))
        .await;
    assert_eq!(all(&oldest.expect(200), "difference"), [12.5]);

    admin.delete(&path).await.expect(204);
    admin.get(&path).await.problem(404, "not_found");
    admin.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn without_a_password_an_account_is_invited_and_a_link_can_be_mailed_again() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post("/api/v1/accounts", json!({"email": "bo@example.org"}))
        .await
        .expect(201);
    assert_eq!(
        (&made["has_password"], &made["role"]),
        (&json!(false), &json!("advertiser"))
    );
    let (bo, invite) = (json!("bo@example.org"), json!("invite"));
    assert_eq!(mails(&admin).await, [(bo.clone(), invite.clone())]);
    let reset = format!("/api/v1/accounts/{}/password-reset", made["id"]);
    admin.post(&reset, json!({})).await.expect(204);
    assert_eq!(mails(&admin).await[0], (bo, invite));
    let ann = admin.account("ann@example.org", "advertiser").await;
    let reset = format!("/api/v1/accounts/{ann}/password-reset");
    admin.post(&reset, json!({})).await.expect(204);
    assert_eq!(
        mails(&admin).await[0],
        (json!("ann@example.org"), json!("reset"))
    );
    admin
        .post(&reset, json!({"email": "mallory@example.org"}))
        .await
        .problem(422, "not_empty");
    admin
        .post("/api/v1/accounts/999/password-reset", json!({}))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn accounts_are_searched_filtered_sorted_and_paged() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for (email, first, last, permissions) in [
        ("cleo@example.org", "Cleo", "Alpha", json!(["edit_page"])),
        (
            "ann@example.org",
            "Ann",
            "Beta",
            json!(["edit_page", "audience:r"]),
        ),
        ("bo@example.com", "Bo", "Beta", json!([])),
    ] {
        let body = json!({"email": email, "first_name": first, "last_name": last, "permissions": permissions});
        admin.post("/api/v1/accounts", body).await.expect(201);
    }
    let group = admin
        .post(
            "/api/v1/groups",
            json!({"title": "G", "permissions": ["audience:w"]}),
        )
        .await
        .expect(201);
    let bo = admin.get("/api/v1/accounts?search=bo").await.expect(200)["items"][0]["id"].clone();
    let member = format!("/api/v1/groups/{}/members/{bo}", group["id"]);
    admin.raw("PUT", &member, None, "").await.expect(204);

    for (query, names, total) in [
        ("", vec!["ann", "bo", "cleo"], 3),
        ("?search=EXAMPLE.org", vec!["ann", "cleo"], 2),
        ("?search=beta%20ann", vec!["ann"], 1),
        ("?search=nobody", vec![], 0),
        ("?permissions=edit_page", vec!["ann", "cleo"], 2),
        ("?permissions=edit_page,audience:r", vec!["ann"], 1),
        ("?permissions=audience:w", vec![], 0),
        ("?all_permissions=audience:w", vec!["bo"], 1),
        ("?sort=-username", vec!["cleo", "bo", "ann"], 3),
        ("?sort=last_name,-first_name", vec!["cleo", "bo", "ann"], 3),
        ("?limit=2", vec!["ann", "bo"], 3),
        ("?limit=2&offset=2", vec!["cleo"], 3),
        ("?offset=1000000", vec![], 3),
    ] {
        let page = admin
            .get(&format!("/api/v1/accounts{query}"))
            .await
            .expect(200);
        assert_eq!(all(&page, "username"), names, "{query}");
        assert_eq!(page["total"], total, "{query}");
    }

    // Followed by its links, a list keeps its filter and its order.
    let (mut names, mut query) = (
        Vec::new(),
        "?sort=-username&search=example&limit=1".to_owned(),
    );
    while !query.is_empty() {
        let answer = admin.get(&format!("/api/v1/accounts{query}")).await;
        let link = answer.header("link").to_owned();
        names.extend(all(&answer.expect(200), "username"));
        let link = link.strip_prefix('<');
        query = link.map_or(String::new(), |link| link.replace(">; rel=\"next\"", ""));
    }
    assert_eq!(names, ["cleo", "bo", "ann"]);

    for (query, code, field) in [
        ("limit=0", "out_of_range", "limit"),
        ("limit=1001", "out_of_range", "limit"),
        ("offset=-1", "out_of_range", "offset"),
        ("offset=1000001", "out_of_range", "offset"),
        ("sort=email", "unknown", "sort"),
        ("sort=", "unknown", "sort"),
        ("permissions=fly", "unknown", "permissions"),
        ("all_permissions=", "unknown", "all_permissions"),
        ("serch=ann", "unknown_parameter", "serch"),
        ("search=a&search=b", "repeated", "search"),
        ("after=MQ", "unknown_parameter", "after"),
    ] {
        let refused = admin.get(&format!("/api/v1/accounts?{query}")).await;
        assert_eq!(refused.problem(422, code)["field"], field, "{query}");
    }
    let long = format!("/api/v1/accounts?search={}", "a".repeat(201));
    admin.get(&long).await.problem(422, "too_long");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_stored() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let of = |extra: Value| {
        let mut body = json!({"email": "bo@example.org"});
        let fields = extra.as_object().expect("fields").clone();
        body.as_object_mut().expect("fields").extend(fields);
        body
    };
    for (body, status, code, field) in [
        (json!({}), 422, "required", "email"),
        (json!({"email": null}), 422, "wrong_type", "email"),
        (json!({"email": "nobody"}), 422, "malformed", "email"),
        (
            json!({"email": "ANN@Example.org"}),
            409,
            "already_used",
            "email",
        ),
        (
            of(json!({"username": "ann"})),
            409,
            "already_used",
            "username",
        ),
        (of(json!({"username": "a b"})), 422, "malformed", "username"),
        (of(json!({"role": "king"})), 422, "unknown", "role"),
        (of(json!({"role": 7})), 422, "wrong_type", "role"),
        (
            of(json!({"permissions": ["fly"]})),
            422,
            "unknown",
            "permissions",
        ),
        (of(json!({"groups": [999]})), 422, "unknown", "groups"),
        (of(json!({"budget": -1})), 422, "negative", "budget"),
        (of(json!({"credit": 0.0001})), 422, "too_precise", "credit"),
        (of(json!({"budget": "1"})), 422, "wrong_type", "budget"),
        (
            of(json!({"call_limit": {"calls": 1, "per": "week"}})),
            422,
            "unknown",
            "call_limit",
        ),
        (
            of(json!({"call_limit": {"calls": -1, "per": "day"}})),
            422,
            "wrong_type",
            "call_limit",
        ),
        (
            of(json!({"preferences": [1]})),
            422,
            "malformed",
            "preferences",
        ),
        (
            of(json!({"password": "short"})),
            422,
            "too_short",
            "password",
        ),
        (
            of(json!({"password": "password1"})),
            422,
            "too_common",
            "password",
        ),
        (
            of(json!({"identity_provider": {"uid": "nowhere"}})),
            422,
            "unknown",
            "identity_provider",
        ),
        (
            of(json!({"identity_provider": {"uid": "x"}, "password": PASSWORD})),
            422,
            "conflicting",
            "identity_provider",
        ),
        (
            of(json!({"is_superuser": true})),
            422,
            "unknown_field",
            "is_superuser",
        ),
    ] {
        let shown = body.to_string();
        let refused = admin.post("/api/v1/accounts", body).await;
        let refused = refused.problem(status, code);
        assert_eq!(refused["field"], field, "{shown}");
    }
    let path = format!("/api/v1/accounts/{ann}");
    for (body, code, field) in [
        (json!({"email": null}), "wrong_type", "email"),
        (json!({"budget": -0.001}), "negative", "budget"),
        (json!({"role": null}), "wrong_type", "role"),
        (
            json!({"permissions": ["edit_page", "edit"]}),
            "unknown",
            "permissions",
        ),
        (json!({"reason": "x".repeat(501)}), "too_long", "reason"),
        (json!({"id": 7}), "unknown_field", "id"),
    ] {
        let refused = admin.patch(&path, body).await.problem(422, code);
        assert_eq!(refused["field"], field);
    }
    let total = admin.get("/api/v1/accounts").await.expect(200)["total"].clone();
    assert_eq!(total, 1);
    for wrong in [
        "0",
        "x",
        "01",
        "-1",
        "999",
        "ann@example.org",
        "9007199254740993",
        "Me",
    ] {
        let answer = admin.get(&format!("/api/v1/accounts/{wrong}")).await;
        answer.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_password_is_never_repeated() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let path = format!("/api/v1/accounts/{ann}");
    for password in [
        json!(71177117),
        json!(["71177117"]),
        json!({"a": "71177117"}),
        json!("7117711"),
    ] {
        let body = json!({"email": "bo@example.org", "password": password});
        let refused = [
            admin.post("/api/v1/accounts", body).await,
            admin.patch(&path, json!({"password": password})).await,
        ];
        for answer in refused {
            assert!(!answer.text.contains("71177"), "{}", answer.text);
            let context = answer
                .outcome
                .as_ref()
                .and_then(|outcome| outcome.context.clone());
            assert_eq!(context, None);
            assert_eq!(answer.expect(422)["field"], "password");
        }
    }
}

#[tokio::test]
async fn the_same_request_with_the_same_key_makes_one_account_and_one_mail() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"email": "ann@example.org"});
    let first = admin
        .key("k")
        .post("/api/v1/accounts", body.clone())
        .await
        .expect(201);
    let again = admin
        .key("k")
        .post("/api/v1/accounts", body.clone())
        .await
        .expect(201);
    assert_eq!(first, again);
    assert_eq!(mails(&admin).await.len(), 1);
    let other = json!({"email": "ann@example.org", "role": "admin"});
    admin
        .key("k")
        .post("/api/v1/accounts", other)
        .await
        .problem(422, "key_reused");
    admin
        .post("/api/v1/accounts", body)
        .await
        .problem(409, "already_used");

    let reset = format!("/api/v1/accounts/{}/password-reset", first["id"]);
    for _ in 0..2 {
        admin.key("r").post(&reset, json!({})).await.expect(204);
    }
    assert_eq!(mails(&admin).await.len(), 2);
    let path = format!("/api/v1/accounts/{}", first["id"]);
    let change = json!({"budget": 5, "reason": "once"});
    admin
        .key("p")
        .patch(&path, change.clone())
        .await
        .expect(200);
    admin.patch(&path, json!({"budget": 7})).await.expect(200);
    let replayed = admin.key("p").patch(&path, change).await.expect(200);
    assert_eq!(replayed["budget"], 5.0);
    assert_eq!(admin.get(&path).await.expect(200)["budget"], 7.0);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let root = admin.account("root@example.org", "admin").await;
    let path = format!("/api/v1/accounts/{root}");
    for change in [
        json!({"role": "advertiser"}),
        json!({"administrator": false}),
        json!({"active": false}),
        json!({"permissions": ["edit_page"]}),
    ] {
        admin
            .patch(&path, change)
            .await
            .problem(409, "last_administrator");
    }
    admin.delete(&path).await.problem(409, "last_administrator");
    // One by a group.
    let group = json!({"title": "Admins", "permissions": ["edit_domain"]});
    let group = admin.post("/api/v1/groups", group).await.expect(201)["id"].clone();
    let ann = admin.account("ann@example.org", "retailer").await;
    let members = format!("/api/v1/groups/{group}/members");
    admin
        .raw("PUT", &format!("{members}/{ann}"), None, "")
        .await
        .expect(204);
    admin
        .patch(&path, json!({"administrator": false}))
        .await
        .expect(200);
    let shown = admin
        .get(&format!("/api/v1/accounts/{ann}"))
        .await
        .expect(200);
    assert_eq!(
        (&shown["role"], &shown["administrator"]),
        (&json!("admin"), &json!(false))
    );
    let refused = [
        admin.delete(&format!("{members}/{ann}")).await,
        admin.delete(&format!("/api/v1/groups/{group}")).await,
        admin
            .patch(
                &format!("/api/v1/groups/{group}"),
                json!({"permissions": []}),
            )
            .await,
        admin
            .patch(&format!("/api/v1/accounts/{ann}"), json!({"groups": []}))
            .await,
    ];
    for answer in refused {
        answer.problem(409, "last_administrator");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let bo = admin.account("bo@example.org", "advertiser").await;
    let visit = Visit::new(domain::Mount::default(), "test", None);
    let door = domain::Door {
        dialect: "test",
        audience: &["test"],
        subject: |_, account| account.to_string(),
        life_s: 3_600,
    };
    for _ in 0..3 {
        let signed = server
            .domain
            .sign_in(&visit, &door, "ann@example.org", PASSWORD.into())
            .await;
        signed.expect("signs in");
    }
    let path = format!("/api/v1/accounts/{ann}/sessions");
    let listed = admin.get(&path).await.expect(200);
    let ids = all(&listed, "id");
    assert_eq!((ids.len(), &listed["next"]), (3, &json!(null)));
    assert_eq!(listed["items"][0]["dialect"], "test");
    assert_eq!(listed["items"][0]["expires"], "2026-09-21T15:13:20.000Z");
    let others = format!("/api/v1/accounts/{bo}/sessions/{}", ids[0]);
    admin.delete(&others).await.problem(404, "not_found");
    for _ in 0..2 {
        admin
            .delete(&format!("{path}/{}", ids[0]))
            .await
            .expect(204);
    }
    assert_eq!(all(&admin.get(&path).await.expect(200), "id"), ids[1..]);
    admin.delete(&path).await.expect(204);
    assert_eq!(admin.get(&path).await.expect(200)["items"], json!([]));
    for wrong in ["999", "x", "0"] {
        admin
            .delete(&format!("{path}/{wrong}"))
            .await
            .problem(404, "not_found");
    }
}

#[tokio::test]
async fn consents_are_shown() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let visit = Visit::new(domain::Mount::default(), "test", None);
    let consent = domain::ConsentNew {
        account: ann,
        email: "ann@example.org".into(),
        version: "2026-01".into(),
        agreed: true,
        channel: Some("web".into()),
        consented: None,
    };
    server
        .domain
        .consent_put(&visit, consent)
        .await
        .expect("is put");
    let path = format!("/api/v1/accounts/{ann}/consents");
    let listed = admin.get(&path).await.expect(200);
    assert_eq!(all(&listed, "version"), ["2026-01"]);
    assert_eq!(all(&listed, "agreed"), [true]);
    admin
        .get("/api/v1/accounts/999/consents")
        .await
        .problem(404, "not_found");
}

fn lines(answer: Answer) -> Vec<String> {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(
        answer.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"accounts.csv\""
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
        .text
        .split_terminator("\r\n")
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn accounts_are_exported_page_by_page_and_no_cell_is_a_formula() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"email": "ann@example.org", "name": "=cmd|' /C calc'!A0", "first_name": "Ann, \"A\"",
        "username": "+ann", "password": PASSWORD, "budget": 1.5, "permissions": ["edit_page", "audience:r"]});
    let ann = admin.post("/api/v1/accounts", body).await.expect(201)["id"].clone();
    let heading = "id,username,email,name,first_name,last_name,role,active,verified,has_password,permissions,groups,\
        providers,budget,credit,created,updated,last_seen,last_sign_in";
    let rest = ",advertiser,true,false,true,edit_page audience:r,,,1.5,0,2026-09-21T14:13:20.000Z,\
        2026-09-21T14:13:20.000Z,,";
    let safe = lines(admin.get("/api/v1/accounts/export").await);
    let row = format!("{ann},'+ann,ann@example.org,'=cmd|' /C calc'!A0,\"Ann, \"\"A\"\"\",{rest}");
    assert_eq!(safe, [heading.to_owned(), row]);
    let raw = lines(admin.get("/api/v1/accounts/export?raw=true").await);
    let row = format!("{ann},+ann,ann@example.org,=cmd|' /C calc'!A0,\"Ann, \"\"A\"\"\",{rest}");
    assert_eq!(raw, [heading.to_owned(), row]);

    let context = domain::Context::new(domain::Caller::server(server.workspace), "test");
    let many = |range: std::ops::Range<usize>| {
        let new = range.map(|n| {
            let new = domain::AccountNew::of(format!("a{n}@example.org"));
            Ok((new, domain::Entrance::Invitation))
        });
        server
            .domain
            .account_create_all(&context, "test", new.collect())
    };
    for range in [0..1_000, 1_000..1_500] {
        many(range).await.expect("are made");
    }
    let all = lines(admin.get("/api/v1/accounts/export?raw=false").await);
    assert_eq!(all.len(), 1_502);
    assert!(all[1_501].contains("a1499@example.org"));
    for wrong in ["raw=yes", "raw=", "row=true", "raw=true&raw=true"] {
        let refused = admin.get(&format!("/api/v1/accounts/export?{wrong}")).await;
        assert_eq!(refused.status.as_u16(), 422, "{wrong}");
    }
}
