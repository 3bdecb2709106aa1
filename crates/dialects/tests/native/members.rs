use serde_json::{Value, json};

use crate::common::Server;

const SHA256_OF_ADA: &str = "6a0ceadd28ec8b9d2a0a8a1f4a3a0e1a"; // Not a hash of anybody: an MD5 by its length.

fn path(audience: i64, operation: &str) -> String {
    format!("/api/v1/audiences/{audience}/members/{operation}")
}

fn emails(values: &[&str]) -> Value {
    json!({"kind": "email", "values": values})
}

#[tokio::test]
async fn people_come_in_and_go_out_and_counts_are_exact() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, id) = admin.pair().await;
    let added = admin
        .add(
            id,
            &[
                "ada@example.org",
                "ADA@example.org",
                "grace@example.org",
                "nobody",
                SHA256_OF_ADA,
            ],
        )
        .await;
    assert_eq!(
        added,
        json!({"time": "2026-09-21T14:13:20.000Z", "valid": 4, "invalid": 1, "invalid_sample": ["nobody"],
            "added": 3, "removed": 0, "people": 3, "conflicts": 0})
    );
    let again = admin.add(id, &["grace@example.org"]).await;
    assert_eq!((&again["added"], &again["people"]), (&json!(0), &json!(3)));

    let removed = admin
        .post(
            &path(id, "remove"),
            emails(&["ada@example.org", "unknown@example.org"]),
        )
        .await
        .expect(200);
    assert_eq!(
        (&removed["removed"], &removed["people"], &removed["valid"]),
        (&json!(1), &json!(2), &json!(2))
    );

    let replaced = admin
        .post(
            &path(id, "replace"),
            emails(&["grace@example.org", "joan@example.org"]),
        )
        .await
        .expect(200);
    assert_eq!(
        (
            &replaced["added"],
            &replaced["removed"],
            &replaced["people"]
        ),
        (&json!(1), &json!(1), &json!(2))
    );

    let emptied = admin
        .raw("POST", &path(id, "empty"), None, "")
        .await
        .expect(200);
    assert_eq!(emptied, json!({"removed": 2}));
    assert_eq!(admin.get(&path(id, "count")).await.expect(200)["people"], 0);
}

#[tokio::test]
async fn contains_answers_in_the_order_of_the_question() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, id) = admin.pair().await;
    admin
        .add(id, &["ada@example.org", "grace@example.org"])
        .await;
    let asked = emails(&[
        "x@example.org",
        "ada@example.org",
        "not valid",
        "ada@example.org",
        "grace@example.org",
        "nobody",
    ]);
    let answer = admin.post(&path(id, "contains"), asked).await.expect(200);
    assert_eq!(
        answer,
        json!({"contains": [false, true, false, true, true, false]})
    );
    let asked = json!({"people": [[], [{"kind": "phone", "value": "+4915112345678"}, {"kind": "email", "value": "ada@example.org"}],
        [{"kind": "email", "value": "bad"}], [{"kind": "email", "value": "grace@example.org"}]]});
    let answer = admin.post(&path(id, "contains"), asked).await.expect(200);
    assert_eq!(answer, json!({"contains": [false, true, false, true]}));
    let nobody = admin
        .post(&path(id, "contains"), emails(&[]))
        .await
        .expect(200);
    assert_eq!(nobody, json!({"contains": []}));
    // A read ignores the key, even one that would be refused, and asking makes nobody.
    let keyed = admin.key("k").with("idempotency-key", "another");
    keyed
        .post(&path(id, "contains"), emails(&["x@example.org"]))
        .await
        .expect(200);
    assert_eq!(admin.get(&path(id, "count")).await.expect(200)["people"], 2);
}

#[tokio::test]
async fn a_person_has_several_identifiers_and_stays_without_the_invalid_one() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, id) = admin.pair().await;
    let people = json!({"people": [
        [{"kind": "email", "value": "ada@example.org"}, {"kind": "phone", "value": "bad"},
         {"kind": "external", "namespace": "crm", "value": "17"}],
        [{"kind": "email", "value": "bad"}],
        []]});
    let added = admin.post(&path(id, "add"), people).await.expect(200);
    assert_eq!(
        (&added["valid"], &added["invalid"], &added["added"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(added["invalid_sample"], json!(["bad", "bad"]));
    let by_crm = json!({"kind": "external", "namespace": "crm", "values": ["17", "18"]});
    assert_eq!(
        admin.post(&path(id, "contains"), by_crm).await.expect(200)["contains"],
        json!([true, false])
    );
    let by_shop = json!({"kind": "external", "namespace": "shop", "values": ["17"]});
    assert_eq!(
        admin.post(&path(id, "contains"), by_shop).await.expect(200)["contains"],
        json!([false])
    );
}

#[tokio::test]
async fn a_clash_is_listed_and_nobody_is_merged() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, id) = admin.pair().await;
    admin.add(id, &["ada@example.org"]).await;
    admin
        .post(
            &path(id, "add"),
            json!({"kind": "phone", "values": ["+4915112345678"]}),
        )
        .await
        .expect(200);
    let clash = json!({"people": [[{"kind": "email", "value": "ada@example.org"}, {"kind": "phone", "value": "+4915112345678"}]]});
    let outcome = admin.post(&path(id, "add"), clash).await.expect(200);
    assert_eq!(
        (&outcome["conflicts"], &outcome["people"]),
        (&json!(1), &json!(2))
    );
    let listed = admin.get("/api/v1/identity/conflicts").await.expect(200);
    let conflict = &listed["items"][0];
    assert_eq!(
        (&conflict["kind"], &conflict["times"]),
        (&json!("phone"), &json!(1))
    );
    assert_eq!(conflict["people"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_request_without_a_valid_identifier_is_refused_and_so_is_one_with_too_many() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, id) = admin.pair().await;
    admin.add(id, &["ada@example.org"]).await;
    for body in [
        emails(&[]),
        emails(&["bad"]),
        json!({"people": []}),
        json!({"people": [[]]}),
    ] {
        for operation in ["add", "remove", "replace"] {
            admin
                .post(&path(id, operation), body.clone())
                .await
                .problem(422, "none_valid");
        }
    }
    let many: Vec<String> = (0..50_001).map(|n| format!("p{n}@example.org")).collect();
    let refused = admin
        .post(&path(id, "add"), json!({"kind": "email", "values": many}))
        .await;
    assert_eq!(refused.problem(422, "too_many")["field"], "identifiers");
    let added = admin
        .post(
            &path(id, "add"),
            json!({"kind": "email", "values": many[..50_000]}),
        )
        .await
        .expect(200);
    assert_eq!(
        (&added["added"], &added["people"]),
        (&json!(50_000), &json!(50_001))
    );
    let crowd: Vec<Value> = (0..33)
        .map(|n| json!({"kind": "email", "value": format!("p{n}@example.org")}))
        .collect();
    let refused = admin
        .post(&path(id, "add"), json!({"people": [crowd]}))
        .await;
    assert_eq!(refused.problem(422, "too_many")["field"], "people");
    let persons: Vec<Value> = many
        .iter()
        .map(|value| json!([{"kind": "email", "value": value}]))
        .collect();
    admin
        .post(&path(id, "contains"), json!({"people": persons}))
        .await
        .problem(422, "too_many");
}

#[tokio::test]
async fn the_shape_of_the_body_is_checked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, id) = admin.pair().await;
    for (body, code, field) in [
        (json!({}), "required", "kind"),
        (json!({"kind": "email"}), "required", "values"),
        (json!({"values": []}), "required", "kind"),
        (
            json!({"kind": "email", "values": [], "people": []}),
            "ambiguous",
            "people",
        ),
        (
            json!({"namespace": "a", "people": []}),
            "ambiguous",
            "people",
        ),
        (json!({"kind": "mail", "values": []}), "unknown", "kind"),
        (
            json!({"kind": "email", "values": "a@example.org"}),
            "wrong_type",
            "values",
        ),
        (
            json!({"kind": "email", "values": ["a@example.org", 7]}),
            "wrong_type",
            "values",
        ),
        (
            json!({"kind": "external", "values": ["17"]}),
            "required",
            "namespace",
        ),
        (
            json!({"people": [[{"kind": "cookie", "value": "1", "namespace": " "}]]}),
            "required",
            "namespace",
        ),
        (
            json!({"people": [{"kind": "email", "value": "a"}]}),
            "wrong_type",
            "people",
        ),
        (
            json!({"people": [[["email", "a@example.org"]]]}),
            "wrong_type",
            "people",
        ),
        (
            json!({"people": [[{"kind": "email"}]]}),
            "required",
            "value",
        ),
        (
            json!({"people": [[{"kind": "email", "value": "a", "hash": true}]]}),
            "unknown_field",
            "hash",
        ),
    ] {
        let refused = admin
            .post(&path(id, "add"), body.clone())
            .await
            .problem(422, code);
        assert_eq!(refused["field"], field, "{body}");
    }
    let refused = admin
        .post(&path(id, "empty"), json!({"kind": "email"}))
        .await;
    refused.problem(422, "not_empty");
}
