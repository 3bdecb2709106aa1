//! The file of all users.

use serde_json::json;

use crate::common::{Client, Server};

const HEADER: &str = "username,last_name,first_name,email,date_joined,last_seen,groups,permissions";

async fn lines(client: &Client<'_>, query: &str) -> Vec<String> {
    let answer = client.get(&format!("/users/export/{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"users.csv\""
    );
    let text = answer
        .text
        .strip_suffix("\r\n")
        .expect("the last line ends");
    text.split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_file_is_as_the_vendors_example() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut groups = Vec::new();
    for title in ["Designers", "A, B"] {
        groups.push(json!({"uid": admin.group(json!({"title": title})).await}));
    }
    let fields = json!({
        "first_name": "Louise, \"Lou\"", "last_name": "Dätä", "permissions": ["edit_page", "create_page"],
        "groups": groups,
    });
    admin.invite("louise", fields).await;
    let file = lines(&admin, "").await;
    assert_eq!((file.len(), file[0].as_str()), (3, HEADER));
    // Whoever calls with a key is seen, a moment later.
    assert!(file[1].starts_with("root,,,root@example.com,2026-09-21 14:13:20+00:00,"));
    assert!(file[1].ends_with(",,edit_domain"));
    assert_eq!(
        file[2],
        "louise,Dätä,\"Louise, \"\"Lou\"\"\",louise@example.com,2026-09-21 14:13:20+00:00,,\"Designers;A, B\",\
         create_page;edit_page",
    );
    let file = lines(&admin, "?delimiter=%3B").await;
    assert_eq!(file[0], HEADER.replace(',', ";"));
    assert!(
        file[2].ends_with(";\"Designers;A, B\";\"create_page;edit_page\""),
        "{}",
        file[2]
    );
    let file = lines(&admin, "?delimiter=%C3%A9").await;
    assert_eq!(file[0], HEADER.replace(',', "é"));
    for wrong in ["", ",,", "%22", "%0A", "%0D", "%00"] {
        let path = format!("/users/export/?delimiter={wrong}");
        admin.get(&path).await.invalid("delimiter");
    }
    admin
        .get("/users/export/?delimiter=%ff")
        .await
        .refused(400, "bad_request");
}

#[tokio::test]
async fn no_cell_is_a_formula_unless_asked_for() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut groups = Vec::new();
    for title in ["=1+1", "Plain", "-1"] {
        groups.push(json!({"uid": admin.group(json!({"title": title})).await}));
    }
    let fields = json!({"first_name": "@SUM(A1)", "last_name": "=cmd", "groups": groups});
    admin.invite("+ann", fields).await;
    let date = "2026-09-21 14:13:20+00:00";
    let safe = format!("'+ann,'=cmd,'@SUM(A1),'+ann@example.com,{date},,'=1+1;Plain;'-1,");
    assert_eq!(lines(&admin, "").await[2], safe);
    assert_eq!(lines(&admin, "?raw=false").await[2], safe);
    let raw = format!("+ann,=cmd,@SUM(A1),+ann@example.com,{date},,=1+1;Plain;-1,");
    assert_eq!(lines(&admin, "?raw=true").await[2], raw);
    admin.get("/users/export/?raw=x").await.invalid("raw");
}

#[tokio::test]
async fn everybody_is_in_it_page_by_page() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for thousand in 0..2 {
        let items: Vec<_> = (0..1_000)
            .map(|number| json!({"email": format!("u{thousand}-{number:03}@example.com")}))
            .collect();
        admin.post("/users/invite/", json!(items)).await.expect(200);
    }
    let file = lines(&admin, "").await;
    assert_eq!(file.len(), 2_002);
    assert!(file[1].starts_with("root,") && file[2_001].starts_with("u1-999,"));
    let json = admin.clone().with("accept", "application/json");
    let users = json.get("/users/export/").await.expect(200);
    let users = users.as_array().expect("a list");
    assert_eq!(users.len(), 2_001);
    assert_eq!(users[2_000], admin.get("/users/u1-999/").await.expect(200));
    let both = admin.clone().with("accept", "application/json, text/csv");
    assert_eq!(lines(&both, "").await.len(), 2_002);
}

#[tokio::test]
async fn subdomains_need_a_permission_of_the_key() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let path = "/users/export/?subdomains=shop";
    assert_eq!(admin.get(path).await.status, 200);
    let account = server.account(server.workspace, "ann", "edit_domain").await;
    for (permissions, status) in [("edit_domain", 403), ("edit_domain manage_subdomains", 200)] {
        let key = server
            .key(server.workspace, account, Some(permissions))
            .await;
        let client = server.client(key);
        assert_eq!(client.get(path).await.status, status, "{permissions}");
        assert_eq!(client.get("/users/export/?subdomains=").await.status, 200);
    }
}
