//! The vendor's words for what a webhook is told of. Those that never happen here are taken and given back, as bits of the
//! webhook's own.

use domain::{EventKind, Webhook};

use super::json::{Errors, Object};

/// What happens here.
const HEARD: [(&str, EventKind); 14] = [
    ("client:add", EventKind::ClientAdded),
    ("client:remove", EventKind::ClientRemoved),
    ("client:update", EventKind::ClientUpdated),
    ("conversation:create", EventKind::ConversationCreated),
    ("conversation:join", EventKind::ParticipantJoined),
    ("conversation:leave", EventKind::ParticipantLeft),
    ("conversation:message", EventKind::MessagePosted),
    (
        "conversation:message:delivery:channel",
        EventKind::MessageSent,
    ),
    (
        "conversation:message:delivery:failure",
        EventKind::MessageFailed,
    ),
    ("conversation:read", EventKind::ConversationRead),
    ("conversation:remove", EventKind::ConversationRemoved),
    ("conversation:typing", EventKind::ConversationTyping),
    ("user:delete", EventKind::RecordDeleted),
    ("user:update", EventKind::RecordUpdated),
];

/// What does not: each is the bit of its place, so a place is never another's.
const SILENT: [&str; 12] = [
    "conversation:message:delivery:user",
    "conversation:postback",
    "conversation:referral",
    "switchboard:acceptControl",
    "switchboard:acceptControl:failure",
    "switchboard:offerControl",
    "switchboard:offerControl:failure",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
    "switchboard:releaseControl:failure",
    "user:merge",
];

/// More than there are.
const TRIGGERS_MAX: usize = 100;

/// The vendor's word for an event; nothing where it has none.
pub fn word(kind: EventKind) -> Option<&'static str> {
    let found = HEARD.iter().find(|(_, heard)| *heard == kind);
    found.map(|(word, _)| *word)
}

/// What a webhook is told of, in the vendor's words, in alphabetical order.
pub fn words(webhook: &Webhook) -> Vec<&'static str> {
    let heard = webhook.events.iter().filter_map(|kind| word(*kind));
    let silent = SILENT.iter().enumerate();
    let silent = silent.filter(|(bit, _)| webhook.detail.silent >> bit & 1 != 0);
    let mut words: Vec<&str> = heard.chain(silent.map(|(_, word)| *word)).collect();
    words.sort_unstable();
    words
}

/// What a body asks for, where it does: events, and the bits of what never happens.
pub fn read(body: &Object<'_>, errors: &mut Errors) -> Option<(Vec<EventKind>, u32)> {
    const NAME: &str = "triggers";
    let Some(items) = body.value(NAME)?.as_array() else {
        body.wrong(errors, NAME, "must be an array of strings");
        return None;
    };
    if items.is_empty() || items.len() > TRIGGERS_MAX {
        let why = format!("must hold 1 to {TRIGGERS_MAX} triggers");
        body.wrong(errors, NAME, &why);
        return None;
    }
    let (mut events, mut silent) = (Vec::new(), 0);
    for (number, item) in items.iter().enumerate() {
        if let Some((_, kind)) = HEARD.iter().find(|(word, _)| item == word) {
            events.push(*kind);
        } else if let Some(bit) = SILENT.iter().position(|word| item == word) {
            silent |= 1 << bit;
        } else {
            let name = format!("{NAME}[{number}]");
            body.wrong(errors, &name, "is no trigger that this server knows");
            return None;
        }
    }
    if events.is_empty() {
        body.wrong(
            errors,
            NAME,
            "holds nothing that ever happens on this server",
        );
    }
    Some((events, silent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_a_person_has_a_word_and_no_other_has() {
        for kind in EventKind::ALL {
            assert_eq!(word(kind).is_none(), kind.is_of_audiences(), "{kind:?}");
        }
        assert!(SILENT.len() <= 32);
    }
}
