use serde_json::{Value, json};

use crate::common::{Client, Server};

/// A structure `Shop` with `Readers` (ada, bo, cy), `Buyers` (bo, dee), and `Not yet`, who read and did not buy.
async fn shop(admin: &Client<'_>) -> [i64; 4] {
    let (structure, readers) = admin.pair().await;
    let buyers = admin.audience(structure, "Buyers").await;
    admin
        .add(
            readers,
            &["ada@example.org", "bo@example.org", "cy@example.org"],
        )
        .await;
    admin
        .add(buyers, &["bo@example.org", "dee@example.org"])
        .await;
    let rule = json!({"all": [{"audience": readers}, {"not": {"audience": buyers}}]});
    let body = json!({"structure": structure, "name": "Not yet", "rule": rule});
    let smart = admin.post("/api/v1/audiences", body).await.expect(201);
    [
        structure,
        readers,
        buyers,
        smart["id"].as_i64().expect("an id"),
    ]
}

#[tokio::test]
async fn reach_is_asked_by_expression_and_by_text() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let [structure, readers, buyers, smart] = shop(&admin).await;
    let expression = json!({"all": [{"audience": readers}, {"not": {"audience": "buyers"}}, {"identifier": "email"}]});
    let found = admin
        .post("/api/v1/reach", json!({"expression": expression}))
        .await
        .expect(200);
    let seq = found["seq"].as_u64().expect("a position");
    let sized = |id: i64, name: &str, people: u64| json!({"audience": {"id": id, "kind": "manual", "path": ["Shop", name]}, "people": people});
    assert_eq!(
        found,
        json!({"people": 2, "seq": seq, "operands": [sized(readers, "Readers", 3), sized(buyers, "Buyers", 2),
            {"identifier": "email", "people": 4}]})
    );
    for (text, people) in [
        ("readers and not buyers", 2),
        ("'Not yet' or buyers", 4),
        ("Shop", 4),
        ("not shop", 0),
        ("channel:whatsapp", 0),
    ] {
        let found = admin
            .post("/api/v1/reach", json!({"text": text}))
            .await
            .expect(200);
        assert_eq!(found["people"], people, "{text}");
    }
    admin.add(buyers, &["ada@example.org"]).await;
    let later = admin
        .post("/api/v1/reach", json!({"text": format!("#{smart}")}))
        .await
        .expect(200);
    assert_eq!(
        later,
        json!({"people": 1, "seq": seq + 1, "operands": [
            {"audience": {"id": smart, "kind": "smart", "path": ["Shop", "Not yet"]}, "people": 1}]})
    );
    let whole = admin
        .post(
            "/api/v1/reach",
            json!({"expression": {"audience": structure}}),
        )
        .await
        .expect(200);
    assert_eq!(whole["operands"][0]["audience"]["kind"], "structure");
}

#[tokio::test]
async fn overlaps_are_a_matrix_a_row_and_regions() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let [_, readers, buyers, smart] = shop(&admin).await;
    let body = json!({"audiences": [readers, "Buyers", {"audience": smart}], "regions": true});
    let found = admin.post("/api/v1/overlap", body).await.expect(200);
    assert_eq!(found["matrix"], json!([[3, 1, 2], [1, 2, 0], [2, 0, 2]]));
    assert_eq!(
        found["regions"],
        json!([{"within": [0, 2], "people": 2}, {"within": [0, 1], "people": 1}, {"within": [1], "people": 1}])
    );
    assert_eq!(found["audiences"][2]["people"], 2);
    assert_eq!(found.get("against"), None);
    let body = json!({"audience": "Buyers", "against": [readers, {"identifier": "email"}]});
    let found = admin.post("/api/v1/overlap", body).await.expect(200);
    assert_eq!(found["audience"]["people"], 2);
    let shared: Vec<&Value> = found["against"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(
        (&shared[0]["overlap"], &shared[1]["overlap"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(shared[1]["identifier"], "email");
    for wrong in [
        json!({}),
        json!({"audience": readers}),
        json!({"against": [readers]}),
        json!({"audiences": [readers], "audience": readers}),
        json!({"audience": readers, "against": [buyers], "regions": true}),
        json!({"audiences": []}),
    ] {
        let refused = admin.post("/api/v1/overlap", wrong).await;
        refused.problem(422, "required");
    }
    let many = json!({"audiences": vec![readers; 257]});
    admin
        .post("/api/v1/overlap", many)
        .await
        .problem(422, "too_many");
    let regions = json!({"audiences": vec![readers; 7], "regions": true});
    admin
        .post("/api/v1/overlap", regions)
        .await
        .problem(422, "too_many");
}

#[tokio::test]
async fn people_are_looked_up() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let [structure, readers, buyers, smart] = shop(&admin).await;
    let asked = json!({"kind": "email", "values": ["bo@example.org", "zoe@example.org", "no address", "ada@example.org"]});
    let found = admin.post("/api/v1/people/lookup", asked).await.expect(200);
    let of = |at: usize| found["people"][at]["audiences"].clone();
    assert_eq!(
        [of(0), of(1), of(2), of(3)],
        [
            json!([structure, readers, buyers]),
            json!([]),
            json!([]),
            json!([structure, readers, smart])
        ]
    );
    assert_eq!(
        found["people"][1],
        json!({"known": false, "persons": [], "total": 0, "audiences": []})
    );
    assert_eq!(found["people"][0]["total"], 3);
    assert_eq!(
        found["audiences"][1],
        json!({"id": readers, "kind": "manual", "path": ["Shop", "Readers"]})
    );

    let page =
        json!({"kind": "email", "values": ["bo@example.org"], "after": structure, "limit": 1});
    let page = admin.post("/api/v1/people/lookup", page).await.expect(200);
    assert_eq!(page["people"][0]["audiences"], json!([readers]));
    let asked = json!({"people": [[{"kind": "phone", "value": "+15550100"}, {"kind": "email", "value": "ada@example.org"}]]});
    let by_person = admin.post("/api/v1/people/lookup", asked).await.expect(200);
    assert_eq!(by_person["people"][0]["audiences"], of(3));

    let emails = |count: usize| json!({"kind": "email", "values": vec!["bo@example.org"; count]});
    admin
        .post("/api/v1/people/lookup", emails(1_000))
        .await
        .expect(200);
    admin
        .post("/api/v1/people/lookup", emails(1_001))
        .await
        .problem(422, "too_many");
    for (limit, code) in [
        (json!(0), "out_of_range"),
        (json!(1_001), "out_of_range"),
        (json!("1"), "wrong_type"),
    ] {
        let body = json!({"kind": "email", "values": [], "limit": limit});
        admin
            .post("/api/v1/people/lookup", body)
            .await
            .problem(422, code);
    }
    let counter = server.client(server.token("audiences:read", None).await);
    counter
        .post("/api/v1/people/lookup", emails(1))
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn what_is_no_question_is_refused_at_once_and_keeps_nobody_waiting() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let [_, readers, ..] = shop(&admin).await;
    let reach = "/api/v1/reach";
    let deep = |depth: usize| {
        let open = "{\"not\":".repeat(depth);
        format!(
            "{{\"expression\":{open}{{\"audience\":{readers}}}{}}}",
            "}".repeat(depth)
        )
    };
    let wide = |count: usize| {
        let list = vec![format!("{{\"audience\":{readers}}}"); count].join(",");
        format!("{{\"expression\":{{\"any\":[{list}]}}}}")
    };
    let ask = async |body: String| {
        admin
            .raw("POST", reach, Some("application/json"), body)
            .await
    };
    // Another caller is answered while these come in.
    let (refused, good) = tokio::join!(
        async {
            ask(deep(10_000)).await.problem(400, "not_json");
            ask(deep(100)).await.problem(422, "too_large");
            ask(wide(1_000_000)).await.problem(413, "too_large");
            ask(wide(40_000)).await.problem(422, "too_large");
            ask(wide(9_000)).await.expect(200)
        },
        async {
            let mut people = 0;
            for _ in 0..20 {
                let found = admin
                    .post(reach, json!({"text": "readers"}))
                    .await
                    .expect(200);
                people += found["people"].as_u64().expect("a number");
            }
            people
        }
    );
    assert_eq!((refused["people"].as_u64(), good), (Some(3), 60));

    for (body, code, field) in [
        (json!({}), "required", "expression"),
        (
            json!({"expression": {"audience": readers}, "text": "readers"}),
            "ambiguous",
            "text",
        ),
        (json!({"text": 7}), "wrong_type", "text"),
        (json!({"text": ""}), "malformed", "text"),
        (json!({"text": "readers or"}), "malformed", "text"),
        (json!({"text": "x".repeat(40_000)}), "too_long", "text"),
        (json!({"text": "Nobody knows"}), "malformed", "text"),
        (json!({"text": "'Nobody knows'"}), "unknown", "expression"),
        (
            json!({"expression": {"audience": 999}}),
            "unknown",
            "expression",
        ),
        (
            json!({"expression": {"audience": -1}}),
            "unknown",
            "expression",
        ),
        (
            json!({"expression": {"audience": 1e300}}),
            "malformed",
            "expression",
        ),
        (
            json!({"expression": {"audience": u64::MAX}}),
            "malformed",
            "expression",
        ),
        (
            json!({"expression": {"channel": "pigeon"}}),
            "unknown",
            "expression",
        ),
        (
            json!({"expression": {"some": []}}),
            "malformed",
            "expression",
        ),
        (json!({"expression": []}), "malformed", "expression"),
        (
            json!({"expression": {"audience": 1}, "limit": 1}),
            "unknown_field",
            "limit",
        ),
    ] {
        let refused = admin.post(reach, body.clone()).await.problem(422, code);
        assert_eq!(refused["field"], field, "{body}");
    }
    let said = admin.post(reach, json!({"text": "readers or (shop"})).await;
    let said = said.problem(422, "malformed");
    assert!(
        said["detail"]
            .as_str()
            .is_some_and(|text| text.contains("At character 12")),
        "{said}"
    );
    let huge = "9".repeat(1_000);
    let huge = format!("{{\"expression\":{{\"audience\":{huge}}}}}");
    ask(huge)
        .await
        .expect_either(&[(422, "malformed"), (400, "not_json")]);
}
