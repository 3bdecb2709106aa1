//! The providers of channels, a file each: how something is sent through them and how they answer, how they sign what they
//! tell, and what that means.
//!
//! What it is: pure translation between a provider's words and the domain's. What it is not: the sending and its repetition,
//! which are the server's and the domain's; nor the routes, which are in [`crate::hooks`].
//! Invariant: no text that is handed on about a failure holds a person's address, and no secret leaves but to its provider.

mod incoming;
mod mailgun;
mod messagebird;
mod outgoing;
mod twilio;
mod whatsapp;

use domain::{
    ChannelClaim, ChannelError, Content, Hook, Inbound, IntegrationKind, OutboundAnswer,
    OutboundError, SendOutcome,
};

pub use incoming::{HookRequest, Malformed, Refused};
pub use outgoing::{Bases, Step};
pub(crate) use whatsapp::challenge;

use outgoing::{Outgoing, no_answer};

/// What has to be done for an item now.
pub fn request(claim: &ChannelClaim, bases: &Bases) -> Step {
    match &claim.content {
        Some(content) => step(&Outgoing::of(claim, content), bases),
        None => silent(step(&Outgoing::of(claim, &SILENCE), bases)),
    }
}

/// The same, with the number that was looked up; see [`Step::LookUp`].
pub fn request_from(claim: &ChannelClaim, bases: &Bases, number: &str) -> Step {
    let content = claim.content.as_ref().unwrap_or(&SILENCE);
    twilio::message(&Outgoing::of(claim, content), bases, ("From", number))
}

static SILENCE: Content = Content::Text {
    text: String::new(),
    links: Vec::new(),
};

/// What is left to do where nothing is said.
fn silent(step: Step) -> Step {
    match step {
        Step::Send(_) | Step::LookUp { .. } | Step::Nothing => Step::Nothing,
        Step::Impossible(error) => Step::Impossible(error),
    }
}

fn step(what: &Outgoing<'_>, bases: &Bases) -> Step {
    match what.kind {
        IntegrationKind::Mailgun => mailgun::request(what, bases),
        IntegrationKind::Twilio => twilio::request(what, bases),
        IntegrationKind::MessageBird => messagebird::request(what, bases),
        IntegrationKind::WhatsApp => whatsapp::request(what, bases),
        IntegrationKind::Custom => Step::Impossible(ChannelError {
            code: "no_channel".into(),
            text: "Nothing can be sent through an integration of this type.".into(),
        }),
    }
}

/// What a provider's answer to an item means.
pub fn judged(kind: IntegrationKind, answer: Result<OutboundAnswer, OutboundError>) -> SendOutcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return no_answer(&error),
    };
    match kind {
        IntegrationKind::Mailgun => mailgun::judged(&answer),
        IntegrationKind::Twilio => twilio::judged(&answer),
        IntegrationKind::MessageBird => messagebird::judged(&answer),
        IntegrationKind::WhatsApp | IntegrationKind::Custom => whatsapp::judged(&answer),
    }
}

/// The number that was looked up, or how the attempt ends without it.
pub fn looked_up(answer: Result<OutboundAnswer, OutboundError>) -> Result<String, SendOutcome> {
    twilio::looked_up(&answer.map_err(|error| no_answer(&error))?)
}

/// Whether a request to a hook comes from its provider, and was made not long ago.
pub fn verify(hook: &Hook, request: &HookRequest<'_>, now_ms: i64) -> Result<(), Refused> {
    match hook.kind {
        IntegrationKind::Mailgun => mailgun::verify(hook, request, now_ms),
        IntegrationKind::Twilio => twilio::verify(hook, request),
        IntegrationKind::MessageBird => messagebird::verify(hook, request, now_ms),
        IntegrationKind::WhatsApp => whatsapp::verify(hook, request),
        IntegrationKind::Custom => Err(Refused::Unsigned),
    }
}

/// What a request whose signature was checked tells; nothing where it concerns nobody.
pub fn events(hook: &Hook, request: &HookRequest<'_>) -> Result<Vec<Inbound>, Malformed> {
    match hook.kind {
        IntegrationKind::Mailgun => mailgun::events(hook, request),
        IntegrationKind::Twilio => twilio::events(hook, request),
        IntegrationKind::MessageBird => messagebird::events(hook, request),
        IntegrationKind::WhatsApp => whatsapp::events(hook, request),
        IntegrationKind::Custom => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests;
