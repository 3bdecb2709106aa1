//! Keys: of the app, and of a custom integration.

use domain::{CredentialView, IdKind};
use serde::Serialize;

use super::{
    DIALECT,
    auth::{INTEGRATION_SCOPES, key_digits},
    call::{Answer, Call, created, done, ok},
    error::Problem,
    map,
    page::own,
    wire,
};

const NAME_CHARS_MAX: usize = 100;

/// `AppKeyResponse` and `IntegrationApiKeyResponse`.
#[derive(Debug, Serialize)]
struct Body {
    key: wire::Key,
}

/// Whose keys the path is about: the integration's, or the app's where it names none.
fn owner(call: &Call) -> Result<Option<i64>, Problem> {
    match call.path("integration").is_empty() {
        true => Ok(None),
        false => call.integration().map(Some),
    }
}

fn id(call: &Call) -> Result<i64, Problem> {
    let missing = || Problem::not_found("credential");
    let name = call.path("key");
    let digits = key_digits(&name).ok_or_else(missing)?;
    own(call.workspace(), IdKind::Credential, digits).ok_or_else(missing)
}

async fn all(call: &Call) -> Result<Vec<CredentialView>, Problem> {
    let owner = owner(call)?;
    let keys = call.domain.app_key_list(call.caller(), DIALECT, owner);
    Ok(keys.await?)
}

/// `POST /keys`, `POST /integrations/{integrationId}/keys`
pub async fn create(call: Call) -> Answer {
    let owner = owner(&call)?;
    let name = call.read(|body, errors| body.required(errors, "displayName", NAME_CHARS_MAX))?;
    let scopes = match owner {
        Some(_) => INTEGRATION_SCOPES.map(|scope| scope.as_str()).join(" "),
        None => String::new(),
    };
    let made = call
        .domain
        .app_key_create(&call.context, DIALECT, &name, &scopes, owner)
        .await?;
    Ok(created(&Body {
        key: map::key(call.workspace(), &made.credential, Some(made.secret)),
    }))
}

/// `GET /keys`, `GET /integrations/{integrationId}/keys`
pub async fn list(call: Call) -> Answer {
    let keys = all(&call).await?;
    let shown = keys.iter().map(|key| map::key(call.workspace(), key, None));
    Ok(ok(&wire::Named("keys", shown.collect::<Vec<_>>())))
}

/// `GET /keys/{keyId}`, `GET /integrations/{integrationId}/keys/{keyId}`
pub async fn get(call: Call) -> Answer {
    let keys = all(&call).await?;
    let id = id(&call)?;
    let key = keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| Problem::not_found("credential"))?;
    Ok(ok(&Body {
        key: map::key(call.workspace(), key, None),
    }))
}

/// `DELETE /keys/{keyId}`, `DELETE /integrations/{integrationId}/keys/{keyId}`
pub async fn delete(call: Call) -> Answer {
    let (owner, id) = (owner(&call)?, id(&call)?);
    call.domain
        .app_key_delete(&call.context, DIALECT, owner, id)
        .await?;
    done()
}
