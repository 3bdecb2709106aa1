//! Participants: who takes part in a conversation.

use domain::{Error, IdKind, ParticipantRef};
use serde::Serialize;

use super::{
    DIALECT,
    call::{Answer, Call, created, done},
    error::Problem,
    map,
    page::own,
    users, wire,
};

const ID_CHARS_MAX: usize = 64;

/// `ParticipantResponse`.
#[derive(Debug, Serialize)]
struct Body {
    participant: wire::Participant,
}

/// `GET /conversations/{conversationId}/participants`
pub async fn list(call: Call) -> Answer {
    let workspace = call.workspace();
    let conversation = call.conversation()?;
    let cursor = call.cursor(IdKind::Participant)?;
    let page = call
        .domain
        .participant_list(call.caller(), conversation, &cursor)
        .await?;
    call.page(
        ("participants", IdKind::Participant),
        cursor,
        page,
        |participant| participant.id,
        |participant| map::participant(workspace, participant),
    )
}

/// `POST /conversations/{conversationId}/join`
pub async fn join(call: Call) -> Answer {
    let workspace = call.workspace();
    let conversation = call.conversation()?;
    let (who, subscribe) = call.read(|body, errors| {
        let subscribe = body.flag(errors, "subscribeSDKClient").unwrap_or(false);
        Some((users::named(workspace, body, errors)?, subscribe))
    })?;
    let joined = call
        .domain
        .participant_join(&call.context, DIALECT, conversation, who, subscribe)
        .await;
    let participant = joined.map_err(personal)?;
    Ok(created(&Body {
        participant: map::participant(workspace, &participant),
    }))
}

/// `POST /conversations/{conversationId}/leave`
pub async fn leave(call: Call) -> Answer {
    let workspace = call.workspace();
    let conversation = call.conversation()?;
    let who = call.read(|body, errors| {
        if !body.has("participantId") {
            return users::named(workspace, body, errors).map(ParticipantRef::Record);
        }
        if body.has("userId") || body.has("userExternalId") {
            let why = "must come without userId and userExternalId";
            body.wrong(errors, "participantId", why);
        }
        let text = body.required(errors, "participantId", ID_CHARS_MAX)?;
        // Nobody has the id 0.
        let id = own(workspace, IdKind::Participant, &text).unwrap_or(0);
        Some(ParticipantRef::Id(id))
    })?;
    call.domain
        .participant_leave(&call.context, DIALECT, conversation, who)
        .await
        .map_err(personal)?;
    done()
}

/// The only conflict there is here, that a personal conversation is one person's, is a bad request at the vendor's.
fn personal(error: Error) -> Problem {
    match error {
        Error::Conflict(title) => Problem::bad_request(title),
        error => error.into(),
    }
}
