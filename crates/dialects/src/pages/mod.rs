//! The pages behind the links of mails: an invitation, a new password, an address to confirm.
//!
//! Plain forms without a script, in English and Korean. A link by itself changes nothing: mail readers open links before
//! people do. Invariant: the token stands in the address and in a hidden field, and goes nowhere else: no page loads or
//! links to anything of others, and no browser tells where it came from.

mod words;

use std::sync::LazyLock;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts},
    routing::get,
};
use domain::{Domain, Error, Language, Mount, Purpose, Visit};
use minijinja::{Environment, context};

use crate::{
    body,
    request::{Outcome, client_address, request_id},
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Bytes of a form: a token and a password.
const FORM_BYTES_MAX: usize = 16 << 10;
const TEMPLATE_STEPS_MAX: u64 = 10_000;

static TEMPLATES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(minijinja::default_auto_escape_callback);
    environment.set_fuel(Some(TEMPLATE_STEPS_MAX));
    environment.add_template("page.html", PAGE)?;
    Ok(environment)
});

/// Everything below `/account`; the paths are absolute.
pub fn router(domain: Domain) -> Router {
    let page = |purpose: Purpose| {
        get(
            move |State(domain): State<Domain>, request: Request| async move {
                let (parts, _) = request.into_parts();
                shown(&domain, &parts, purpose).await
            },
        )
        .post(
            move |State(domain): State<Domain>, request: Request| async move {
                done(domain, request, purpose).await
            },
        )
    };
    Router::new()
        .route("/account/invite", page(Purpose::Invite))
        .route("/account/reset", page(Purpose::Reset))
        .route("/account/verify", page(Purpose::Verify))
        .route("/account/style.css", get(async || style()))
        .with_state(domain)
}

fn style() -> Response<Body> {
    let mut response = Response::new(Body::from(STYLE));
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn language_of(headers: &HeaderMap) -> Language {
    let wanted = headers.get(header::ACCEPT_LANGUAGE);
    let wanted = wanted.and_then(|value| value.to_str().ok());
    Language::of_tag(
        wanted
            .unwrap_or("en")
            .split([',', ';'])
            .next()
            .unwrap_or("en"),
    )
}

fn field(pairs: &[u8], name: &str) -> String {
    form_urlencoded::parse(pairs)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn visit_of(parts: &Parts) -> Visit {
    let mount = parts.extensions.get::<Mount>().copied().unwrap_or_default();
    Visit::new(
        mount,
        request_id(&parts.extensions),
        Some(client_address(&parts.extensions)),
    )
}

/// The form of a link that is good.
async fn shown(domain: &Domain, parts: &Parts, purpose: Purpose) -> Response<Body> {
    let language = language_of(&parts.headers);
    let token = field(parts.uri.query().unwrap_or_default().as_bytes(), "token");
    match domain.token_check(&visit_of(parts), purpose, &token).await {
        Ok(()) => form(StatusCode::OK, language, purpose, &token, None),
        Err(Error::Invalid(_) | Error::NotFound(_)) => dead(language, purpose),
        Err(error) => failed(language, purpose, &token, &error),
    }
}

/// The form again, of a link that may be good: the server cannot tell now.
fn failed(language: Language, purpose: Purpose, token: &str, error: &Error) -> Response<Body> {
    let status = match error {
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let text = words::later(language);
    let mut response = form(status, language, purpose, token, Some(text));
    response.extensions_mut().insert(Outcome {
        context: error.context().map(str::to_owned),
        ..Outcome::default()
    });
    response
}

fn form(
    status: StatusCode,
    language: Language,
    purpose: Purpose,
    token: &str,
    error: Option<&str>,
) -> Response<Body> {
    let words = words::words(language, purpose);
    let values = context! {
        lang => words::tag(language), style => "style.css", title => words.title, text => words.text,
        label => words.label, button => words.button, token, error,
    };
    page(status, values)
}

fn message(status: StatusCode, language: Language, purpose: Purpose, text: &str) -> Response<Body> {
    let title = words::words(language, purpose).title;
    let lang = words::tag(language);
    page(status, context! { lang, style => "style.css", title, text })
}

fn dead(language: Language, purpose: Purpose) -> Response<Body> {
    message(StatusCode::GONE, language, purpose, words::dead(language))
}

fn page(status: StatusCode, values: minijinja::Value) -> Response<Body> {
    let drawn = TEMPLATES
        .as_ref()
        .map_err(ToString::to_string)
        .and_then(|all| {
            all.get_template("page.html")
                .map_err(|error| error.to_string())
        })
        .and_then(|page| page.render(values).map_err(|error| error.to_string()));
    let (status, text, context) = match drawn {
        Ok(text) => (status, text, None),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            String::new(),
            Some(error),
        ),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if context.is_some() {
        response.extensions_mut().insert(Outcome {
            context,
            ..Outcome::default()
        });
    }
    response
}

/// What the form was sent for.
async fn done(domain: Domain, request: Request, purpose: Purpose) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let language = language_of(&parts.headers);
    let Ok(bytes) = body::read(body, FORM_BYTES_MAX).await else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return message(status, language, purpose, words::dead(language));
    };
    let (token, password) = (field(&bytes, "token"), field(&bytes, "password"));
    let visit = visit_of(&parts);
    let outcome = match purpose {
        Purpose::Invite | Purpose::Reset => domain.password_reset(&visit, &token, password).await,
        Purpose::Verify => domain.verification_confirm(&visit, &token).await,
    };
    let words = words::words(language, purpose);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    match outcome {
        // An address that is confirmed already is what they came for.
        Ok(_) | Err(Error::Conflict(_)) => message(StatusCode::OK, language, purpose, words.done),
        Err(Error::Invalid(field)) if field.name == "password" => {
            let text = words::refused(language, field.code, &field.text);
            form(status, language, purpose, &token, Some(&text))
        }
        Err(Error::Invalid(_) | Error::NotFound(_)) => dead(language, purpose),
        Err(error) => failed(language, purpose, &token, &error),
    }
}
