//! `MessagePost`: who says what, in a message and in the confirmation of a link. Text and images with links below them, and
//! templates in WhatsApp's own words; whatever else the vendor has is refused by name.

use domain::{AuthorRef, Channel, Content, IdKind, Link, MessageDestination, MessageNew, Persona};
use serde_json::{Value, json};

use super::{
    json::{Errors, Object},
    page::own,
    users,
};

const TEXT_CHARS_MAX: usize = 4_096;
const ALT_CHARS_MAX: usize = 128;
const URL_CHARS_MAX: usize = 2_048;
const NAME_CHARS_MAX: usize = 255;
const ACTIONS_MAX: usize = 10;
const ACTION_CHARS_MAX: usize = 128;
const WORD_CHARS_MAX: usize = 64;

/// A message as it is posted into a conversation.
pub fn message(workspace: i64, body: &Object<'_>, errors: &mut Errors) -> Option<MessageNew> {
    let author = author(workspace, body, errors);
    let content = content(body, errors);
    let metadata = body.metadata(errors, false).flatten();
    let destination = destination(workspace, body, errors);
    Some(MessageNew {
        author: author?,
        content: content?,
        metadata: metadata.map(|map| Value::Object(map).to_string()),
        destination: destination?,
    })
}

/// The message of a confirmation: only the organisation asks for one. What is kept of it is what is sent.
pub fn confirmation(body: &Object<'_>, errors: &mut Errors) -> Option<(Persona, Content)> {
    let persona = match body.required_object(errors, "author") {
        None => None,
        Some(author) => {
            author.word(errors, "type", &[("business", ())]);
            Some(persona(&author, errors))
        }
    };
    let content = content(body, errors);
    body.metadata(errors, false);
    Some((persona?, content?))
}

fn persona(author: &Object<'_>, errors: &mut Errors) -> Persona {
    Persona {
        display_name: author.maybe(errors, "displayName", NAME_CHARS_MAX),
        avatar_url: author.maybe(errors, "avatarUrl", URL_CHARS_MAX),
    }
}

fn author(workspace: i64, body: &Object<'_>, errors: &mut Errors) -> Option<AuthorRef> {
    let author = body.required_object(errors, "author")?;
    let persona = persona(&author, errors);
    if author.word(errors, "type", &[("business", false), ("user", true)])? {
        let user = users::named(workspace, &author, errors)?;
        return Some(AuthorRef::Record(user, persona));
    }
    Some(AuthorRef::Business(persona))
}

fn content(body: &Object<'_>, errors: &mut Errors) -> Option<Content> {
    #[derive(Clone, Copy)]
    enum Type {
        Text,
        Image,
    }
    if body.has("override") {
        body.wrong(errors, "override", "is not supported by this server");
    }
    let content = body.required_object(errors, "content")?;
    if let Some(schema) = body.maybe(errors, "schema", WORD_CHARS_MAX) {
        if schema == "whatsapp" {
            return template(&content, errors);
        }
        body.wrong(errors, "schema", "must be whatsapp");
        return None;
    }
    let types = [("text", Type::Text), ("image", Type::Image)];
    match content.word(errors, "type", &types)? {
        Type::Text => {
            let links = links(&content, errors);
            // The vendor has a text in three forms; its words are the same in the two that are text.
            let name = ["text", "markdownText"]
                .into_iter()
                .find(|name| content.has(name));
            let text = content.required(errors, name.unwrap_or("text"), TEXT_CHARS_MAX)?;
            Some(Content::Text { text, links })
        }
        Type::Image => {
            let links = links(&content, errors);
            let alt = content.maybe(errors, "altText", ALT_CHARS_MAX);
            let text = content.maybe(errors, "text", TEXT_CHARS_MAX);
            let url = content.required(errors, "mediaUrl", URL_CHARS_MAX)?;
            Some(Content::Image {
                url,
                alt,
                text,
                links,
            })
        }
    }
}

/// A template that the provider has approved, as its own API takes it.
fn template(content: &Object<'_>, errors: &mut Errors) -> Option<Content> {
    content.word(errors, "type", &[("template", ())])?;
    let template = content.required_object(errors, "template")?;
    let json = json!({"type": "template", "template": template.map()});
    Some(Content::Native {
        channel: Channel::WhatsApp,
        json: json.to_string(),
    })
}

fn links(content: &Object<'_>, errors: &mut Errors) -> Vec<Link> {
    let actions = content.objects(errors, "actions", ACTIONS_MAX);
    let mut links = Vec::with_capacity(actions.len());
    for action in &actions {
        action.word(errors, "type", &[("link", ())]);
        let text = action.required(errors, "text", ACTION_CHARS_MAX);
        let url = action.required(errors, "uri", URL_CHARS_MAX);
        if let (Some(text), Some(url)) = (text, url) {
            links.push(Link { text, url });
        }
    }
    links
}

/// Where a message goes; nothing but what is wrong is an outer nothing.
fn destination(
    workspace: i64,
    body: &Object<'_>,
    errors: &mut Errors,
) -> Option<Option<MessageDestination>> {
    let Some(Some(destination)) = body.object(errors, "destination") else {
        return Some(None);
    };
    match (
        destination.has("integrationId"),
        destination.has("integrationType"),
    ) {
        (true, false) => {
            let text = destination.required(errors, "integrationId", WORD_CHARS_MAX)?;
            // What is no id of ours is no integration's.
            let id = own(workspace, IdKind::Integration, &text).unwrap_or(0);
            Some(Some(MessageDestination::Integration(id)))
        }
        (false, true) => {
            let words = [
                ("mailgun", Channel::Mailgun),
                ("twilio", Channel::Twilio),
                ("messagebird", Channel::MessageBird),
                ("whatsapp", Channel::WhatsApp),
            ];
            let channel = destination.word(errors, "integrationType", &words)?;
            Some(Some(MessageDestination::Channel(channel)))
        }
        _ => {
            let why = "must have one of integrationId and integrationType";
            body.wrong(errors, "destination", why);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sunshine::json::read;

    fn told(body: Value) -> Vec<String> {
        let read = read(body.to_string().as_bytes(), |body, errors| {
            message(7, body, errors)
        });
        read.err().map(|problem| problem.titles).unwrap_or_default()
    }

    fn with(content: Value) -> Value {
        json!({"author": {"type": "business"}, "content": content})
    }

    #[test]
    fn texts_images_and_templates_are_taken() {
        for content in [
            json!({"type": "text", "text": "Hi"}),
            json!({"type": "text", "markdownText": "*Hi*"}),
            json!({"type": "text", "text": "Hi", "actions": [{"type": "link", "text": "Go", "uri": "https://example.org"}]}),
            json!({"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "A"}),
        ] {
            assert_eq!(told(with(content.clone())), [""; 0], "{content}");
        }
        let mut template = with(json!({"type": "template", "template": {"name": "hello"}}));
        template["schema"] = json!("whatsapp");
        assert_eq!(told(template), [""; 0]);
    }

    #[test]
    fn what_the_vendor_has_beside_is_refused_by_name() {
        for (content, title) in [
            (
                json!({"type": "carousel"}),
                "content.type must be one of: text, image",
            ),
            (json!({"type": "text"}), "content.text is required"),
            (json!({"type": "image"}), "content.mediaUrl is required"),
            (
                json!({"type": "text", "text": "Hi", "actions": [{"type": "postback", "text": "Go", "uri": "x"}]}),
                "content.actions[0].type must be one of: link",
            ),
            (
                json!({"type": "template"}),
                "content.type must be one of: text, image",
            ),
            (json!(null), "content is required and must not be null"),
        ] {
            assert_eq!(told(with(content)), [title]);
        }
        let mut odd = with(json!({"type": "text", "text": "Hi"}));
        odd["override"] = json!({"whatsapp": {}});
        odd["destination"] = json!({});
        odd["author"] = json!({"type": "robot"});
        assert_eq!(told(odd).len(), 3);
    }
}
