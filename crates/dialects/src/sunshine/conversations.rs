//! Conversations, and what is noticed in them that is no message.

use domain::{ConversationChange, ConversationKind, ConversationNew, IdKind, Notice, RecordRef};
use serde::Serialize;
use serde_json::Value;

use super::{
    DIALECT,
    call::{Answer, Call, created, done, ok},
    error::Problem,
    json::{Errors, Given, Object},
    map, users, wire,
};

const NAME_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 100;
const ICON_URL_CHARS_MAX: usize = 2_048;
const PARTICIPANTS_MAX: usize = 10;

/// `ConversationResponse`.
#[derive(Debug, Serialize)]
struct Body {
    conversation: wire::Conversation,
}

/// What a conversation is called.
struct Named {
    display_name: Given<String>,
    description: Given<String>,
    icon_url: Given<String>,
    metadata: Given<String>,
}

impl Named {
    fn read(body: &Object<'_>, errors: &mut Errors) -> Named {
        let metadata = body.metadata(errors, false);
        Named {
            display_name: body.text(errors, "displayName", NAME_CHARS_MAX),
            description: body.text(errors, "description", DESCRIPTION_CHARS_MAX),
            icon_url: body.text(errors, "iconUrl", ICON_URL_CHARS_MAX),
            metadata: metadata.map(|it| it.map(|it| Value::Object(it).to_string())),
        }
    }
}

/// `POST /conversations`
pub async fn create(call: Call) -> Answer {
    let workspace = call.workspace();
    let new = call.read(|body, errors| conversation_new(workspace, body, errors))?;
    let made = call
        .domain
        .conversation_create(&call.context, DIALECT, new)
        .await?;
    Ok(created(&Body {
        conversation: map::conversation(workspace, &made),
    }))
}

fn conversation_new(
    workspace: i64,
    body: &Object<'_>,
    errors: &mut Errors,
) -> Option<ConversationNew> {
    let words = [
        ("personal", ConversationKind::Personal),
        ("sdkGroup", ConversationKind::Group),
    ];
    let kind = body.word(errors, "type", &words);
    let named = Named::read(body, errors);
    let bodies = body.objects(errors, "participants", PARTICIPANTS_MAX);
    if kind == Some(ConversationKind::Personal) && bodies.len() != 1 {
        let why = "must hold exactly one participant for a personal conversation";
        body.wrong(errors, "participants", why);
    }
    let mut participants = Vec::with_capacity(bodies.len());
    for one in &bodies {
        let subscribe = one.flag(errors, "subscribeSDKClient").unwrap_or(false);
        if let Some(user) = users::named(workspace, one, errors) {
            participants.push((user, subscribe));
        }
    }
    Some(ConversationNew {
        kind: kind?,
        display_name: named.display_name.flatten(),
        description: named.description.flatten(),
        icon_url: named.icon_url.flatten(),
        metadata: named.metadata.flatten().unwrap_or_default(),
        participants,
    })
}

/// `GET /conversations?filter[userId]=...` or `filter[userExternalId]=...`
pub async fn list(call: Call) -> Answer {
    let workspace = call.workspace();
    let cursor = call.cursor(IdKind::Conversation)?;
    let user = match (
        call.query.filter("userId")?,
        call.query.filter("userExternalId")?,
    ) {
        (Some(id), None) => users::by_id(workspace, id),
        (None, Some(external_id)) => RecordRef::Reference(external_id.to_owned()),
        _ => {
            let title = "Exactly one of filter[userId] and filter[userExternalId] is required";
            return Err(Problem::bad_request(title));
        }
    };
    let page = call
        .domain
        .conversation_list(call.caller(), DIALECT, user, &cursor)
        .await?;
    call.page(
        ("conversations", IdKind::Conversation),
        cursor,
        page,
        |conversation| conversation.id,
        |conversation| map::conversation(workspace, conversation),
    )
}

/// `GET /conversations/{conversationId}`
pub async fn get(call: Call) -> Answer {
    let id = call.conversation()?;
    let conversation = call.domain.conversation_get(call.caller(), id).await?;
    Ok(ok(&Body {
        conversation: map::conversation(call.workspace(), &conversation),
    }))
}

/// `PATCH /conversations/{conversationId}`: what is absent stays, null clears.
pub async fn update(call: Call) -> Answer {
    let id = call.conversation()?;
    let change = call.read(|body, errors| {
        let named = Named::read(body, errors);
        Some(ConversationChange {
            display_name: named.display_name,
            description: named.description,
            icon_url: named.icon_url,
            metadata: named.metadata,
        })
    })?;
    let conversation = call
        .domain
        .conversation_update(&call.context, id, change)
        .await?;
    Ok(ok(&Body {
        conversation: map::conversation(call.workspace(), &conversation),
    }))
}

/// `DELETE /conversations/{conversationId}`
pub async fn delete(call: Call) -> Answer {
    let id = call.conversation()?;
    match call.domain.conversation_delete(&call.context, id).await {
        // The only conflict there is here: a user's default conversation.
        Err(domain::Error::Conflict(text)) => Err(Problem::bad_request(text)),
        Err(error) => Err(error.into()),
        Ok(()) => done(),
    }
}

/// `POST /conversations/{conversationId}/activity`
pub async fn activity(call: Call) -> Answer {
    let id = call.conversation()?;
    let workspace = call.workspace();
    let (who, notice) = call.read(|body, errors| {
        let words = [
            ("conversation:read", Notice::Read),
            ("typing:start", Notice::TypingStart),
            ("typing:stop", Notice::TypingStop),
        ];
        let notice = body.word(errors, "type", &words);
        let author = body.required_object(errors, "author")?;
        let who = match author.word(errors, "type", &[("business", false), ("user", true)])? {
            true => Some(users::named(workspace, &author, errors)?),
            false => None,
        };
        if who.is_some() && notice.is_some_and(|notice| notice != Notice::Read) {
            let say = "must be conversation:read where the author is a user";
            body.wrong(errors, "type", say);
        }
        Some((who, notice?))
    })?;
    call.domain
        .conversation_notice(&call.context, DIALECT, id, who, notice)
        .await?;
    done()
}
