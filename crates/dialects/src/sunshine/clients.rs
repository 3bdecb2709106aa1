//! Clients: a user's addresses on channels, linked and taken away.

use domain::{ClientNew, Confirmation, IdKind, IntegrationKind};
use serde::Serialize;

use super::{
    DIALECT,
    call::{Answer, Call, created, done},
    content,
    error::Problem,
    json::{Errors, Object},
    map,
    page::own,
    wire,
};

const ADDRESS_CHARS_MAX: usize = 254;
const SUBJECT_CHARS_MAX: usize = 255;
const ID_CHARS_MAX: usize = 64;
/// The vendor's, where a mail has no subject.
const SUBJECT: &str = "New message from {appName}";

/// `ClientResponse`.
#[derive(Debug, Serialize)]
struct Body {
    client: wire::Client,
}

/// `GET /users/{userIdOrExternalId}/clients`
pub async fn list(call: Call) -> Answer {
    let cursor = call.cursor(IdKind::Client)?;
    let page = call
        .domain
        .client_list(call.caller(), DIALECT, call.user(), &cursor)
        .await?;
    let workspace = call.workspace();
    call.page(
        ("clients", IdKind::Client),
        cursor,
        page,
        |client| client.id,
        |client| map::client(workspace, client),
    )
}

/// `POST /users/{userIdOrExternalId}/clients`
pub async fn create(call: Call) -> Answer {
    let workspace = call.workspace();
    let new = call.read(|body, errors| client_new(workspace, body, errors))?;
    let client = call
        .domain
        .client_create(&call.context, DIALECT, call.user(), new)
        .await?;
    Ok(created(&Body {
        client: map::client(workspace, &client),
    }))
}

/// `DELETE /users/{userIdOrExternalId}/clients/{clientId}`
pub async fn remove(call: Call) -> Answer {
    let id = call.id("client", IdKind::Client, "client")?;
    let removed = call
        .domain
        .client_remove(&call.context, DIALECT, call.user(), id);
    match removed.await {
        // The only conflict there is here.
        Err(domain::Error::Conflict(_)) => {
            Err(Problem::bad_request("Cannot remove a client of type 'sdk'"))
        }
        Err(error) => Err(error.into()),
        Ok(()) => done(),
    }
}

/// `ClientCreate`.
fn client_new(workspace: i64, body: &Object<'_>, errors: &mut Errors) -> Option<ClientNew> {
    let criteria = match body.is_null("matchCriteria") {
        false => body.required_object(errors, "matchCriteria"),
        true => {
            errors.add(
                "matchCriteria must be an object, not null: with version 17 of the Python client, make the body with \
                 ClientCreate.from_dict",
            );
            None
        }
    };
    let criteria = criteria.and_then(|criteria| match_criteria(workspace, &criteria, errors));
    let confirmation = body.required_object(errors, "confirmation");
    let confirmation = confirmation.and_then(|it| confirmed_by(&it, errors));
    let target = body.required_object(errors, "target");
    let conversation =
        target.and_then(|target| target.required(errors, "conversationId", ID_CHARS_MAX));
    let conversation = conversation.map(|text| {
        // What is no id of ours is no conversation's.
        own(workspace, IdKind::Conversation, &text).unwrap_or(0)
    });
    let (criteria, (confirmation, message)) = (criteria?, confirmation?);
    Some(ClientNew {
        confirmation,
        message,
        conversation: conversation?,
        ..criteria
    })
}

fn confirmed_by(
    body: &Object<'_>,
    errors: &mut Errors,
) -> Option<(Confirmation, Option<(domain::Persona, domain::Content)>)> {
    let words = [
        ("immediate", Confirmation::Immediate),
        ("userActivity", Confirmation::UserActivity),
        ("prompt", Confirmation::Prompt),
    ];
    let confirmation = body.word(errors, "type", &words);
    let message = body.object(errors, "message").flatten();
    let message = message.map(|message| content::confirmation(&message, errors));
    match message {
        // What is wrong with it is told.
        Some(None) => None,
        message => Some((confirmation?, message.flatten())),
    }
}

/// `MatchCriteria`: of which type, through which integration, to which address. The rest is filled in by the caller.
fn match_criteria(workspace: i64, body: &Object<'_>, errors: &mut Errors) -> Option<ClientNew> {
    let words = [
        ("mailgun", IntegrationKind::Mailgun),
        ("messagebird", IntegrationKind::MessageBird),
        ("twilio", IntegrationKind::Twilio),
        ("whatsapp", IntegrationKind::WhatsApp),
    ];
    let kind = body.word(errors, "type", &words);
    let integration = body.required(errors, "integrationId", ID_CHARS_MAX);
    let primary = body.flag(errors, "primary").unwrap_or(true);
    let (mail, address) = match kind? {
        IntegrationKind::Mailgun => (true, "address"),
        _ => (false, "phoneNumber"),
    };
    let address = body.required(errors, address, ADDRESS_CHARS_MAX);
    let subject = match mail {
        true => body.maybe(errors, "subject", SUBJECT_CHARS_MAX),
        false => None,
    };
    Some(ClientNew {
        kind: kind?,
        // What is no id of ours is no integration's.
        integration: own(workspace, IdKind::Integration, &integration?).unwrap_or(0),
        address: address?,
        subject: subject.or_else(|| mail.then(|| SUBJECT.to_owned())),
        primary,
        confirmation: Confirmation::Immediate,
        message: None,
        conversation: 0,
    })
}
