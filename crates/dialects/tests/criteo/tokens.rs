//! The token endpoint: RFC 6749's client-credentials grant.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::support::{Answer, World};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn post(
    world: &World,
    headers: &[(&str, &str)],
    body: impl Into<axum::body::Body>,
) -> Answer {
    let request = World::request(
        "POST",
        "/criteo/marketing/oauth2/token",
        headers,
        body.into(),
    );
    let answer = world.send(request).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    answer
}

fn form(world: &World) -> String {
    format!(
        "client_id={}&client_secret={}&grant_type=client_credentials",
        world.client_id, world.client_secret
    )
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.json()["error"], error, "{}", answer.text);
    assert!(answer.json()["error_description"].is_string());
}

#[tokio::test]
async fn a_token_is_issued_at_each_base() {
    let world = World::new().await;
    for base in ["/criteo/marketing", "/criteo/legacy/marketing", "/criteo"] {
        let path = format!("{base}/oauth2/token");
        let answer = world
            .send(World::request("POST", &path, &[FORM], form(&world).into()))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&"Bearer".into(), &900.into())
        );
        assert_eq!(answer.outcome.credential, Some(world.credential));
        let header = format!(
            "{} {}",
            "bearer",
            body["access_token"].as_str().expect("is text")
        );
        let path = format!("{base}/v1/audiences");
        let request = World::request("GET", &path, &[("authorization", &header)], "".into());
        assert_eq!(world.send(request).await.status, 200);
    }
}

#[tokio::test]
async fn a_client_may_use_basic() {
    let world = World::new().await;
    let escaped: String = world
        .client_secret
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    for secret in [&world.client_secret, &escaped] {
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{secret}", world.client_id))
        );
        let headers = [FORM, ("authorization", &*basic)];
        assert_eq!(
            post(&world, &headers, "grant_type=client_credentials")
                .await
                .status,
            200
        );
        let both = post(&world, &headers, form(&world)).await;
        assert_refused(&both, 400, "invalid_request");
    }
    for wrong in [
        "Basic ***".to_owned(),
        format!("Basic {}", STANDARD.encode("a:b")),
    ] {
        let headers = [FORM, ("authorization", &*wrong)];
        let answer = post(&world, &headers, "grant_type=client_credentials").await;
        assert_refused(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_the_rfc() {
    let world = World::new().await;
    let good = form(&world);
    let cases = [
        (String::new(), 400, "invalid_request"),
        ("{}".into(), 400, "invalid_request"),
        ("grant_type=".into(), 400, "invalid_request"),
        (
            format!("{good}&grant_type=client_credentials"),
            400,
            "invalid_request",
        ),
        (format!("{good}&client_id=x"), 400, "invalid_request"),
        ("grant_type=%ff".into(), 400, "invalid_request"),
        (
            good.replace("client_credentials", "password"),
            400,
            "unsupported_grant_type",
        ),
        (
            good.replace("client_credentials", "CLIENT_CREDENTIALS"),
            400,
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials".into(),
            401,
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=x&client_secret=y".into(),
            401,
            "invalid_client",
        ),
        (
            good.replace(&world.client_secret, &world.client_secret[1..]),
            401,
            "invalid_client",
        ),
    ];
    for (body, status, error) in cases {
        let answer = post(&world, &[FORM], body).await;
        assert_refused(&answer, status, error);
        assert_eq!(answer.header("www-authenticate"), "");
    }
    let answer = post(&world, &[FORM], b"\xff".to_vec()).await;
    assert_refused(&answer, 400, "invalid_request");
    let answer = post(&world, &[("content-type", "application/json")], "{}").await;
    assert_refused(&answer, 400, "invalid_request");
    let answer = post(&world, &[FORM], "a=".to_owned() + &"x".repeat(2 << 20)).await;
    assert_refused(&answer, 400, "invalid_request");
    assert_eq!(
        post(&world, &[], format!("{good}&audience=x")).await.status,
        200
    );
}

#[tokio::test]
async fn another_method_is_refused() {
    let world = World::new().await;
    let answer = world
        .send(World::request(
            "GET",
            "/criteo/oauth2/token",
            &[],
            "".into(),
        ))
        .await;
    assert_refused(&answer, 405, "invalid_request");
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn tokens_count_as_calls() {
    let world = World::limited(2).await;
    let wrong = form(&world).replace(&world.client_id, "000000010100000000000001");
    for _ in 0..5 {
        assert_eq!(post(&world, &[FORM], wrong.clone()).await.status, 401);
    }
    for remaining in ["1", "0"] {
        let answer = post(&world, &[FORM], form(&world)).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.header("x-ratelimit-remaining")
            ),
            (200, remaining)
        );
    }
    let answer = post(&world, &[FORM], form(&world)).await;
    assert_refused(&answer, 429, "too_many_requests");
    assert_eq!(answer.header("x-ratelimit-limit"), "2");
    assert_eq!(answer.header("retry-after"), "");
}
