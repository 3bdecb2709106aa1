//! Ways in: registering, signing in and out, and the links of mails.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, PRAGMA},
    },
    response::IntoResponse,
};
use domain::{Error, SignedIn};

use super::{
    call::{Answer, Call, about, answer, ok},
    error::{Problem, Words},
    fields::Need,
    form::Form,
    invalid::{Fault, Step},
    map,
    wire::Bearer,
};

const REGISTER: Words = Words {
    exists: "REGISTER_USER_ALREADY_EXISTS",
    password: "REGISTER_INVALID_PASSWORD",
};
const RESET: Words = Words {
    exists: "RESET_PASSWORD_BAD_TOKEN",
    password: "RESET_PASSWORD_INVALID_PASSWORD",
};
pub const BAD_CREDENTIALS: &str = "LOGIN_BAD_CREDENTIALS";
const GRANT: &str = "password";

/// `POST /auth/register`
pub async fn register(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let (new, password) = map::registration(&sent)?;
    let made = call
        .domain
        .account_register(call.visit(), new, password)
        .await
        .map_err(|error| Problem::of_account(error, REGISTER, sent.value()))?;
    let response = answer(StatusCode::CREATED, &map::user(call.workspace, &made))?;
    Ok(about(response, made.account.id))
}

/// `POST /auth/jwt/login`
pub async fn login(mut call: Call) -> Answer {
    let bytes = call.bytes().await?;
    let form = Form::parse(call.headers(), &bytes)?;
    let (username, password) = credentials(&form)?;
    let (visit, door) = (call.visit(), call.door());
    let signed_in = call.domain.sign_in(visit, &door, username, password.into());
    let signed_in = signed_in.await.map_err(|error| match error {
        Error::Unauthenticated(_) => Problem::bad(BAD_CREDENTIALS),
        error => error.into(),
    })?;
    signed(signed_in)
}

fn credentials(form: &Form) -> Result<(&str, &str), Problem> {
    let mut errors = Vec::new();
    let at = |name: &str| -> Vec<Step> { vec!["body".into(), name.into()] };
    if let Some(grant) = form.get("grant_type").filter(|grant| *grant != GRANT) {
        errors.push(Fault::pattern("^password$").at(at("grant_type"), grant.into()));
    }
    let found = ["username", "password"].map(|name| {
        let value = form.get(name);
        if value.is_none() {
            errors.push(Fault::missing().at(at(name), serde_json::Value::Null));
        }
        value.unwrap_or_default()
    });
    if errors.is_empty() {
        return Ok((found[0], found[1]));
    }
    Err(Problem::invalid(errors))
}

/// The answer with the token of a new session, which nobody may keep.
pub fn signed(signed_in: SignedIn) -> Answer {
    let bearer = Bearer {
        access_token: signed_in.token.token,
        token_type: "bearer",
    };
    let mut response = ok(&bearer)?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(about(response, signed_in.account.account.id))
}

/// `POST /auth/jwt/logout`
pub async fn logout(call: Call) -> Answer {
    call.domain.sign_out(&call.context()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /auth/forgot-password`
pub async fn forgot_password(mut call: Call) -> Answer {
    let email = email(&mut call).await?;
    call.domain.password_forgot(call.visit(), &email).await?;
    answer(StatusCode::ACCEPTED, &())
}

/// `POST /auth/request-verify-token`
pub async fn request_verify(mut call: Call) -> Answer {
    let email = email(&mut call).await?;
    let asked = call.domain.verification_request(call.visit(), &email);
    asked.await?;
    answer(StatusCode::ACCEPTED, &())
}

async fn email(call: &mut Call) -> Result<String, Problem> {
    let sent = call.sent().await?;
    let mut fields = sent.parameters();
    let email = fields.email("email", Need::Required);
    fields.finish()?;
    Ok(email.unwrap_or_default().to_owned())
}

/// `POST /auth/reset-password`
pub async fn reset_password(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let mut fields = sent.parameters();
    let token = fields.text("token", Need::Required);
    let password = fields.text("password", Need::Required);
    fields.finish()?;
    let (token, password) = (token.unwrap_or_default(), password.unwrap_or_default());
    let reset = call
        .domain
        .password_reset(call.visit(), token, password.into())
        .await
        .map_err(|error| match error {
            Error::Invalid(field) if field.name == "token" => Problem::bad(RESET.exists),
            error => Problem::of_account(error, RESET, sent.value()),
        })?;
    Ok(about(ok(&())?, reset.account.id))
}

/// `POST /auth/verify`
pub async fn verify(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let mut fields = sent.parameters();
    let token = fields.text("token", Need::Required);
    fields.finish()?;
    let token = token.unwrap_or_default();
    let verified = call.domain.verification_confirm(call.visit(), token);
    let verified = verified.await.map_err(|error| match error {
        Error::Invalid(field) if field.name == "token" => Problem::bad("VERIFY_USER_BAD_TOKEN"),
        Error::Conflict(_) => Problem::bad("VERIFY_USER_ALREADY_VERIFIED"),
        error => error.into(),
    })?;
    let response = ok(&map::user(call.workspace, &verified))?;
    Ok(about(response, verified.account.id))
}
