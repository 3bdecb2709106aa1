//! One user: read, changed, removed.

use serde_json::{Value, json};
use throng_dialects::opendatasoft::ExpandedGroups;

use crate::common::Server;

const PYTHON: &str = "OpenAPI-Generator/1.0.0/python";

#[tokio::test]
async fn a_user_is_what_the_vendor_documents() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin.group(json!({"title": "Designers"})).await;
    let limits = json!({"api_calls": {"limit": 1_000, "unit": "day"}});
    let fields = json!({
        "first_name": "Louise", "last_name": "Data", "permissions": ["edit_form", "edit_page"],
        "groups": [{"uid": group}], "explore_limits": limits,
    });
    let invited = admin.invite("louise.von-data", fields).await;
    let user = admin.get("/users/louise.von-data/").await.expect(200);
    assert_eq!(user, invited);
    let expected = json!({
        "username": "louise.von-data", "display_name": "Louise Data", "first_name": "Louise", "last_name": "Data",
        "is_active": true, "email": "louise.von-data@example.com", "is_ods": false, "account_type": "local",
        "permissions": ["edit_page", "edit_form"], "joined_at": "2026-09-21T14:13:20.000Z", "last_seen_at": null,
        "last_login_at": null, "expires_at": null, "explore_limits": limits, "management_limits": {},
        "gravatar_url": "//www.gravatar.com/avatar/00000000000000000000000000000000?d=mp",
        "groups": [{"uid": "designers"}], "identity_providers": [],
    });
    assert_eq!(user, expected);
    // In any letter case, and without groups where there are none.
    let root = admin.get("/users/ROOT/").await.expect(200);
    assert_eq!(
        (&root["username"], root.get("groups")),
        (&json!("root"), None)
    );
    assert_eq!(root["permissions"], json!(["edit_domain"]));
    assert_eq!(root["display_name"], "root");
    assert_eq!(root["explore_limits"], json!({}));
    admin.get("/users/nobody/").await.refused(404, "not_found");
    admin.get("/users/x%00/").await.refused(404, "not_found");
    admin.get("/users/%ff/").await.refused(400, "bad_request");
}

#[tokio::test]
async fn groups_are_expanded_as_the_operator_chose() {
    for mode in [
        ExpandedGroups::Auto,
        ExpandedGroups::Full,
        ExpandedGroups::Uid,
    ] {
        let server = Server::with(None, mode).await;
        let admin = server.admin().await;
        let group = admin
            .group(json!({"title": "Designers", "description": "d", "permissions": ["edit_theme"]}))
            .await;
        admin
            .invite("ann", json!({"groups": [{"uid": group}]}))
            .await;
        let plain = json!([{"uid": "designers"}]);
        let whole = json!([{
            "uid": "designers", "title": "Designers", "description": "d", "user_count": 1,
            "permissions": ["edit_theme"], "explore_limits": {}, "management_limits": {},
            "created_at": "2026-09-21T14:13:20.000Z", "updated_at": "2026-09-21T14:13:20.000Z",
            "created_by": {"username": "root"}, "updated_by": {"username": "root"},
        }]);
        let mut untitled = whole.clone();
        untitled[0]
            .as_object_mut()
            .expect("an object")
            .remove("title");
        let (others, generated) = match mode {
            ExpandedGroups::Auto => (&whole, &untitled),
            ExpandedGroups::Full => (&whole, &whole),
            ExpandedGroups::Uid => (&plain, &plain),
        };
        let python = admin.clone().with("user-agent", PYTHON);
        for (client, expected) in [(&admin, others), (&python, generated)] {
            for expand in ["groups", "x,groups", "x&expand=groups"] {
                let path = format!("/users/ann/?expand={expand}");
                assert_eq!(&client.get(&path).await.expect(200)["groups"], expected);
            }
            let path = "/users/ann/?expand=x";
            assert_eq!(client.get(path).await.expect(200)["groups"], plain);
        }
    }
}

#[tokio::test]
async fn what_is_given_replaces_and_what_is_absent_stays() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two) = (
        admin.group(json!({"title": "One"})).await,
        admin.group(json!({"title": "Two"})).await,
    );
    let fields =
        json!({"first_name": "Ann", "permissions": ["edit_page"], "groups": [{"uid": one}]});
    let before = admin.invite("ann", fields).await;
    for nothing in ["", "{}", r#"{"groups": null}"#, &before.to_string()] {
        let after = admin.raw("PUT", "/users/ann/", nothing.to_owned()).await;
        assert_eq!(after.expect(200), before, "{nothing}");
    }
    let change = json!({"last_name": "Lee", "groups": [{"title": "Two"}]});
    let after = admin.put("/users/ann/", change).await.expect(200);
    assert_eq!(after["groups"], json!([{"uid": two}]));
    assert_eq!(
        (&after["first_name"], &after["last_name"]),
        (&json!("Ann"), &json!("Lee"))
    );
    assert_eq!(after["permissions"], json!(["edit_page"]));
    let change = json!({"permissions": [], "groups": [], "first_name": ""});
    let after = admin.put("/users/ann/", change).await.expect(200);
    assert_eq!(
        (&after["permissions"], after.get("groups")),
        (&json!([]), None)
    );
    assert_eq!(after["first_name"], "");
    // The same name and address, in any letter case, are no change.
    let change = json!({"username": "ANN", "email": "Ann@Example.com"});
    let after = admin.put("/users/ann/", change).await.expect(200);
    assert_eq!(after["email"], "ann@example.com");
}

#[tokio::test]
async fn what_is_read_only_or_of_others_is_left_alone() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let before = admin.invite("ann", json!({})).await;
    let change = json!({
        "display_name": "X", "is_active": false, "is_ods": true, "account_type": "global", "joined_at": 1,
        "last_seen_at": "x", "expires_at": null, "gravatar_url": "//x", "identity_providers": [{"uid": "google"}],
        "management_limits": {"x": 1}, "role": "admin", "is_superuser": true, "is_verified": true, "budget": 1e6,
        "password": "another passphrase 2", "workspace": 2, "id": 1,
    });
    assert_eq!(admin.put("/users/ann/", change).await.expect(200), before);
    // Permissions of other protocols are neither shown nor taken away.
    server
        .account(server.workspace, "bob", "edit_page audience:r")
        .await;
    assert_eq!(
        admin.get("/users/bob/").await.expect(200)["permissions"],
        json!(["edit_page"])
    );
    admin
        .put("/users/bob/", json!({"permissions": []}))
        .await
        .expect(200);
    let caller = domain::Caller::server(server.workspace);
    let which = domain::AccountRef::Username("bob".into());
    let view = server
        .domain
        .account_get(&caller, which)
        .await
        .expect("is there");
    assert_eq!(view.permissions().as_text(), "audience:r");
    admin
        .put("/users/bob/", json!({"permissions": ["audience:r"]}))
        .await
        .invalid("permissions");
}

#[tokio::test]
async fn a_change_is_refused_as_a_whole() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let before = admin.invite("ann", json!({})).await;
    let limit = |limit: Value, unit: &str| json!({"api_calls": {"limit": limit, "unit": unit}});
    for (field, wrong) in [
        ("email", json!(null)),
        ("email", json!(1)),
        ("email", json!("")),
        ("email", json!("root@example.com")),
        ("email", json!("ROOT@example.com")),
        ("email", json!("a@example.com\r\nBcc: b@example.com")),
        ("username", json!(null)),
        ("username", json!("other")),
        ("username", json!("root")),
        ("last_name", json!(1)),
        ("last_name", json!("a\0")),
        ("last_name", json!("x".repeat(100_000))),
        ("permissions", json!(null)),
        ("permissions", json!("edit_page")),
        ("permissions", json!(["edit_page", "x"])),
        ("permissions", json!(["EDIT_PAGE"])),
        ("groups", json!("x")),
        ("groups", json!(["x"])),
        ("groups", json!([{}])),
        ("groups", json!([{"uid": "x"}])),
        ("groups", json!([{"uid": "x\0"}])),
        ("groups", json!([{"title": "x"}])),
        ("groups", json!(vec![json!({"uid": "x"}); 101])),
        ("explore_limits", json!(1)),
        ("explore_limits", limit(json!(-1), "day")),
        ("explore_limits", limit(json!(1), "week")),
    ] {
        let mut change = json!({"first_name": "Changed"});
        change[field] = wrong.clone();
        admin.put("/users/ann/", change).await.invalid(field);
        assert_eq!(
            admin.get("/users/ann/").await.expect(200),
            before,
            "{field} {wrong}"
        );
    }
    for wrong in ["[]", "null", "1", "\"x\""] {
        let answer = admin.raw("PUT", "/users/ann/", wrong).await;
        answer.invalid("non_field_errors");
    }
    admin
        .put("/users/nobody/", json!({"first_name": "x"}))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_user_is_removed() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.invite("ann", json!({})).await;
    let answer = admin.delete("/users/ann/").await;
    assert_eq!(answer.expect(204), Value::Null);
    admin.get("/users/ann/").await.refused(404, "not_found");
    admin.delete("/users/ann/").await.refused(404, "not_found");
    admin.invite("ann", json!({})).await;
}
