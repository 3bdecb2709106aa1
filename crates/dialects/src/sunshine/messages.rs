//! Messages of conversations.

use axum::http::StatusCode;
use domain::{Error, IdKind};
use serde::Serialize;

use super::{
    DIALECT,
    call::{Answer, Call, created, done},
    content,
    error::Problem,
    map, wire,
};

/// `MessagePostResponse`.
#[derive(Debug, Serialize)]
struct Body {
    messages: [wire::Message; 1],
}

/// `GET /conversations/{conversationId}/messages`
pub async fn list(call: Call) -> Answer {
    let workspace = call.workspace();
    let conversation = call.conversation()?;
    let cursor = call.cursor(IdKind::Message)?;
    let page = call
        .domain
        .message_list(call.caller(), conversation, &cursor)
        .await?;
    call.page(
        ("messages", IdKind::Message),
        cursor,
        page,
        |message| message.id,
        |message| map::message(workspace, message),
    )
}

/// `POST /conversations/{conversationId}/messages`
pub async fn post(call: Call) -> Answer {
    let workspace = call.workspace();
    let conversation = call.conversation()?;
    let new = call.read(|body, errors| content::message(workspace, body, errors))?;
    let posted = call
        .domain
        .message_post(&call.context, DIALECT, conversation, new)
        .await;
    match posted {
        Ok(message) => Ok(created(&Body {
            messages: [map::message(workspace, &message)],
        })),
        // The only conflict there is here: the conversation is full.
        Err(Error::Conflict(text)) => Err(Problem {
            status: StatusCode::LOCKED,
            code: "locked",
            ..Problem::bad_request(text)
        }),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /conversations/{conversationId}/messages`
pub async fn delete_all(call: Call) -> Answer {
    let conversation = call.conversation()?;
    call.domain
        .messages_delete(&call.context, conversation)
        .await?;
    done()
}

/// `DELETE /conversations/{conversationId}/messages/{messageId}`
pub async fn delete(call: Call) -> Answer {
    let conversation = call.conversation()?;
    let id = call.id("message", IdKind::Message, "message")?;
    call.domain
        .message_delete(&call.context, conversation, id)
        .await?;
    done()
}
