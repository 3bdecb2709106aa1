//! The pages behind the links of mails.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use domain::{AccountNew, Caller, Context, Door, Entrance, Mount, Visit};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::common::Server;

const DOOR: Door = Door {
    dialect: "door",
    audience: &["door"],
    subject: |_, account| account.to_string(),
    life_s: 3_600,
};

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

async fn send(router: &Router, request: Request<Body>) -> Page {
    let response = router.clone().oneshot(request).await.expect("answers");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    Page {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
    }
}

async fn open(router: &Router, link: &str, language: &str) -> Page {
    let path = link
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let request = Request::get(path.expect("a path"))
        .header(header::ACCEPT_LANGUAGE, language)
        .body(Body::empty());
    send(router, request.expect("a request")).await
}

async fn post(router: &Router, page: &str, fields: &[(&str, &str)]) -> Page {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request::post(format!("/account/{page}")).body(Body::from(body));
    send(router, request.expect("a request")).await
}

/// Invites somebody and answers the link of the mail.
async fn invited(server: &Server, email: &str) -> String {
    let context = Context::new(Caller::server(server.workspace), "test");
    server
        .domain
        .account_create(&context, AccountNew::of(email), Entrance::Invitation)
        .await
        .expect("is made");
    let items = server
        .domain
        .outbox_list(&context.caller, None, None, 1)
        .await
        .expect("lists");
    let mail = server
        .domain
        .outbox_get(&context.caller, items[0].id)
        .await
        .expect("shows");
    let text = mail.text.expect("a text").text;
    let link = text
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    link.expect("a link").to_owned()
}

fn token_of(link: &str) -> &str {
    link.split_once("token=").expect("a token").1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_with_a_password_once() {
    let server = Server::start().await;
    let router = throng_dialects::pages::router(server.domain.clone());
    let link = invited(&server, "ann@example.org").await;
    let token = token_of(&link);

    for _ in 0..2 {
        let form = open(&router, &link, "en").await;
        assert_eq!(form.status, 200);
        assert!(form.text.contains("Accept the invitation") && form.text.contains(token));
        assert!(form.text.contains("type=\"password\"") && !form.text.contains("<script"));
        let policy = form.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .expect("text");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'")
        );
        assert_eq!(form.headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(form.headers[header::CACHE_CONTROL], "no-store");
    }

    let weak = post(
        &router,
        "invite",
        &[("token", token), ("password", "password")],
    )
    .await;
    assert_eq!(weak.status, 422);
    assert!(weak.text.contains("role=\"alert\"") && weak.text.contains(token));
    let fields = [("token", token), ("password", "a fine long password")];
    let done = post(&router, "invite", &fields).await;
    assert_eq!(done.status, 200);
    assert!(done.text.contains("You can sign in now"));
    let visit = Visit::new(Mount::default(), "test", None);
    server
        .domain
        .sign_in(
            &visit,
            &DOOR,
            "ann@example.org",
            "a fine long password".into(),
        )
        .await
        .expect("signs in");

    let again = post(&router, "invite", &fields).await;
    assert_eq!(again.status, 410);
    assert!(again.text.contains("not valid any more") && !again.text.contains(token));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_speak_the_language_of_the_browser_and_show_nothing_unescaped() {
    let server = Server::start().await;
    let router = throng_dialects::pages::router(server.domain.clone());
    let link = invited(&server, "ann@example.org").await;
    let korean = open(&router, &link, "ko-KR,ko;q=0.9").await;
    assert!(korean.text.contains("<html lang=\"ko\">") && korean.text.contains("초대 수락"));
    let hostile = open(&router, "http://x/account/reset?token=%22%3E%3Cb%3E", "en").await;
    assert_eq!(hostile.status, 410);
    assert!(!hostile.text.contains("<b>"));
    let hostile = "\"><b>";
    let fields = [("token", token_of(&link)), ("password", hostile)];
    let refused = post(&router, "invite", &fields).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.text.contains(hostile), "a password comes back");
    let none = open(&router, "http://x/account/verify", "en").await;
    assert_eq!(none.status, 410);
    let made_up = [("token", "thr_0123"), ("password", "a fine long password")];
    for page in ["invite", "reset", "verify"] {
        assert_eq!(post(&router, page, &made_up).await.status, 410, "{page}");
    }
    let large = post(&router, "reset", &[("token", &"x".repeat(20_000))]).await;
    assert_eq!(large.status, 413);
    let style = open(&router, "http://x/account/style.css", "en").await;
    assert_eq!(
        style.headers[header::CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
}
