//! Every declared media type, in and out.

use serde_json::json;

use crate::support::{USERLIST, World};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn an_audience_is_created_in_each_type() {
    let world = World::new().await;
    let advertiser = world.advertiser;
    let json = |name: &str| {
        format!(r#"{{"advertiserId":{advertiser},"name":"{name}","description":"<é>"}}"#)
    };
    let xml = |name: &str| {
        format!(
            "<?xml version=\"1.0\"?><AudienceCreateRequest xmlns=\"urn:x\"><advertiserId>{advertiser}</advertiserId>\
             <name>{name}</name><description>&lt;é&gt;</description></AudienceCreateRequest>"
        )
    };
    let form =
        |name: &str| format!("advertiserId={advertiser}&name={name}&description=%3C%C3%A9%3E");
    let cases = [
        ("", json("none")),
        ("application/json", json("json")),
        ("text/json; charset=utf-8", json("text-json")),
        ("text/html", format!("\u{feff}{}", json("html"))),
        ("application/xml", xml("xml")),
        ("text/xml; charset=\"UTF-8\"", xml("text-xml")),
        (FORM, form("form")),
    ];
    for (content_type, body) in cases {
        let headers: &[_] = if content_type.is_empty() {
            &[]
        } else {
            &[("content-type", content_type)]
        };
        let answer = world.call("POST", USERLIST, headers, body).await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text);
        let id = answer.json()["audienceId"].as_i64().expect("is a number");
        assert_eq!(world.listed(id).await["description"], "<é>");
    }
}

#[tokio::test]
async fn users_and_names_come_in_each_type() {
    let world = World::new().await;
    let id = world.create("x").await;
    let (userlist, audience) = (format!("{USERLIST}/{id}"), format!("/v1/audiences/{id}"));
    let xml = "<AudiencePatchRequest><operation>add</operation><schema>gum</schema>\
               <identifiers><string>a</string>\n<string>b c</string></identifiers><gumCallerId>42</gumCallerId></AudiencePatchRequest>";
    let cases = [
        ("text/xml", xml),
        (
            FORM,
            "operation=add&schema=gum&identifiers=a&identifiers=b+c&gumCallerId=42",
        ),
        (
            FORM,
            "operation=add&schema=gum&identifiers%5B0%5D=a&identifiers%5B1%5D=b+c&gumCallerId=42",
        ),
        (
            FORM,
            "operation=add&schema=gum&identifiers[]=a&identifiers[]=b+c&gumCallerId=42",
        ),
    ];
    for (content_type, body) in cases {
        let answer = world
            .call("PATCH", &userlist, &[("content-type", content_type)], body)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["sampleInvalidIdentifiers"], json!(["b c"]));
        assert_eq!(world.lines(id).await, (1, 0, 0));
    }
    let cases = [
        (
            "application/xml",
            "<AudiencePutRequest><name>y</name></AudiencePutRequest>",
        ),
        (FORM, "name=z"),
    ];
    for (content_type, body) in cases {
        let answer = world
            .call("PUT", &audience, &[("content-type", content_type)], body)
            .await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    assert_eq!(world.listed(id).await["name"], "z");
}

#[tokio::test]
async fn answers_follow_accept() {
    let world = World::new().await;
    let id = world.create("<a> & \"ü\"").await;
    let list = async |accept: &str| {
        world
            .call("GET", "/v1/audiences", &[("accept", accept)], "")
            .await
    };
    for (accept, content_type) in [
        ("application/json", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("text/json", "text/json; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
    ] {
        let answer = list(accept).await;
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(answer.json()["audiences"][0]["name"], "<a> & \"ü\"");
        assert_eq!(
            answer.text.contains("<a>"),
            accept != "text/html",
            "no browser finds an element"
        );
    }
    assert_eq!(
        list("text/html").await.header("x-content-type-options"),
        "nosniff"
    );
    for accept in ["application/xml", "text/xml"] {
        let answer = list(accept).await;
        assert_eq!(
            answer.header("content-type"),
            format!("{accept}; charset=utf-8")
        );
        assert_eq!(
            answer.text,
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><AudiencesGetResponse><audiences><AudienceResponse><id>{id}</id>\
                 <advertiserId>{}</advertiserId><name>&lt;a&gt; &amp; \"ü\"</name><created>1599675676</created>\
                 <updated>1599675676</updated><nbLines>0</nbLines><nbLinesEmail>0</nbLinesEmail><nbMatchesEmail>0</nbMatchesEmail>\
                 </AudienceResponse></audiences></AudiencesGetResponse>",
                world.advertiser
            )
        );
    }
}

#[tokio::test]
async fn every_model_is_written_as_xml() {
    let world = World::new().await;
    let id = world.create("x").await;
    let xml = [
        ("accept", "application/xml"),
        ("content-type", "application/json"),
    ];
    let body = json!({"advertiserId": world.advertiser, "name": "y"}).to_string();
    let answer = world.call("POST", USERLIST, &xml, body).await;
    assert!(
        answer.text.contains("<AudienceCreateResponse><audienceId>"),
        "{}",
        answer.text
    );

    let body =
        r#"{"operation":"add","schema":"email","identifiers":["a@example.org","<x>","\u0001"]}"#;
    let answer = world
        .call("PATCH", &format!("{USERLIST}/{id}"), &xml, body)
        .await;
    assert!(answer.text.ends_with(
        "<AudiencePatchResponse><operation>add</operation><requestDate>2020-09-09T18:21:16.383Z</requestDate>\
         <schema>email</schema><nbValidIdentifiers>1</nbValidIdentifiers><nbInvalidIdentifiers>2</nbInvalidIdentifiers>\
         <sampleInvalidIdentifiers><string>&lt;x&gt;</string><string>\u{fffd}</string></sampleInvalidIdentifiers></AudiencePatchResponse>"
    ), "{}", answer.text);

    let answer = world.call("GET", "/v1/portfolio", &xml, "").await;
    assert!(
        answer.text.ends_with(&format!(
            "<ArrayOfPortfolioMessage><PortfolioMessage><advertiserId>{}</advertiserId>\
         <advertiserName>Acme</advertiserName></PortfolioMessage></ArrayOfPortfolioMessage>",
            world.advertiser
        )),
        "{}",
        answer.text
    );

    let answer = world.call("DELETE", "/v1/audiences/x", &xml, "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains(
        "<ProblemsDetails><errors><ProblemDetails><traceId>request-7</traceId><type>validation</type>\
         <code>audience-not-found</code><instance>/v1/audiences/x</instance>"
    ), "{}", answer.text);
    assert!(
        answer
            .text
            .ends_with("</ProblemDetails></errors><warnings></warnings></ProblemsDetails>")
    );
}

#[tokio::test]
async fn other_types_are_refused() {
    let world = World::new().await;
    let body = json!({"advertiserId": world.advertiser, "name": "x"}).to_string();
    for accept in ["image/png", "application/json;q=0", FORM] {
        let answer = world
            .call("POST", USERLIST, &[("accept", accept)], body.clone())
            .await;
        answer.assert_problem(406, "media-type-not-acceptable");
        assert_eq!(
            answer.header("content-type"),
            "application/json; charset=utf-8"
        );
    }
    let cases = [
        ("content-type", "text/plain"),
        ("content-type", ""),
        ("content-type", "application/json; charset=iso-8859-1"),
        ("content-encoding", "gzip"),
    ];
    for header in cases {
        let answer = world.call("POST", USERLIST, &[header], body.clone()).await;
        answer.assert_problem(415, "media-type-unsupported");
    }
    assert_eq!(world.get("/v1/audiences").await.text, "{\"audiences\":[]}");
    // Neither has a body that could be of a type.
    for (method, path) in [("GET", "/v1/audiences"), ("GET", "/v1/portfolio")] {
        assert_eq!(
            world
                .call(method, path, &[("content-type", "text/plain")], "x")
                .await
                .status,
            200
        );
    }
}
