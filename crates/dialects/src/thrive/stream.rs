//! The answer to a move, which names every member: it is written piece by piece, so that a million of them need no more memory
//! than a thousand.
//!
//! What it is not: a picture of one moment. Who moved was settled when the move was; what they are called is read as the answer
//! is sent.

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use domain::{Context, Domain, Error, Member, Moved, Refused, Set};
use futures_util::StreamExt;
use futures_util::stream::{once, try_unfold};

use super::{DIALECT, call::Call, error::Problem, map, wire};

/// Members that are named at once: a piece is a read, and some hundred kilobytes.
const PIECE_MEMBERS: usize = 4_000;

const KEPT_BY_AUDIENCE: &str = "member of another audience in this structure";
const KEPT_BY_STRUCTURE: &str = "member of this structure";

/// A part of the answer.
enum Part {
    Text(String),
    /// The entities of these people, with the reason why they failed. The first one has no comma before it.
    People {
        people: Set,
        reason: Option<&'static str>,
        first: bool,
    },
}

/// `"name":{"count":3,"entities":[...]}` of people with the reasons why they failed.
fn entities(name: &str, lists: Vec<(Set, u64, Option<&'static str>)>) -> Vec<Part> {
    let count: u64 = lists.iter().map(|(_, count, _)| count).sum();
    let head = format!("\"{name}\":{{\"count\":{count},\"entities\":[");
    let mut parts = vec![Part::Text(head)];
    for (people, _, reason) in lists.into_iter().filter(|(_, count, _)| *count > 0) {
        let first = parts.len() == 1;
        parts.push(Part::People {
            people,
            reason,
            first,
        });
    }
    parts.push(Part::Text("]}".into()));
    parts
}

/// The two operations under the names that they have here: the vendor's documentation shows that there are two objects, and
/// not what they are called.
fn operations(added: Vec<Part>, removed: Vec<Part>) -> Vec<Part> {
    let text = |text: &str| vec![Part::Text(text.into())];
    let parts = [
        text("{\"added\":{"),
        added,
        text("},\"removed\":{"),
        removed,
        text("}}"),
    ];
    parts.into_iter().flatten().collect()
}

/// The answer to a move: 200, 207 where somebody stays in the old structure, 422 where somebody could not join the new one and
/// nothing was done.
pub async fn moved(
    call: Call,
    audience: &wire::Audience,
    moved: Moved,
) -> Result<Response, Problem> {
    let refused = moved.refused();
    let stay = moved.counts.kept_by_audience + moved.counts.kept_by_structure > 0;
    let (status, parts) = match (refused, stay) {
        (true, _) => (StatusCode::UNPROCESSABLE_ENTITY, refusal(moved)),
        (false, true) => (StatusCode::MULTI_STATUS, whole(audience, moved)?),
        (false, false) => (StatusCode::OK, whole(audience, moved)?),
    };
    let mut answer = Writer {
        domain: call.domain,
        context: call.context,
        parts: parts.into_iter().collect(),
        after: 0,
    };
    // Read before the answer begins, so that what fails at once is a refusal in the vendor's shape.
    let first = answer.piece().await?.unwrap_or_default();
    let rest = try_unfold(answer, |mut answer| async {
        let piece = answer.piece().await.inspect_err(|error| {
            let (request_id, context) = (&answer.context.request_id, error.context());
            tracing::warn!(request_id, context, "the answer to a move broke off");
        })?;
        Ok::<_, Error>(piece.map(|piece| (piece, answer)))
    });
    let pieces = once(async { Ok::<_, Error>(first) }).chain(rest);
    let mut response = (status, Body::from_stream(pieces)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, wire::JSON);
    Ok(response)
}

/// Nobody was moved: those who could not be, and why.
fn refusal(moved: Moved) -> Vec<Part> {
    let counts = moved.counts;
    let failed = vec![
        (
            moved.inactive,
            counts.inactive,
            Some(map::reason(Refused::Inactive)),
        ),
        (moved.ended, counts.ended, Some(map::reason(Refused::Ended))),
    ];
    let text = |text: &str| vec![Part::Text(text.into())];
    let parts = [
        text("{"),
        entities("success", Vec::new()),
        text(","),
        entities("failure", failed),
        text("}"),
    ];
    parts.into_iter().flatten().collect()
}

/// The audience with what became of its members.
fn whole(audience: &wire::Audience, moved: Moved) -> Result<Vec<Part>, Problem> {
    let counts = moved.counts;
    let head = serde_json::to_string(audience).map_err(|error| Error::Internal {
        context: error.to_string(),
    })?;
    let head = head.strip_suffix('}').unwrap_or(&head);
    let added = entities("success", vec![(moved.members, counts.members, None)]);
    let mut removed = entities("success", vec![(moved.left, counts.left, None)]);
    let kept = vec![
        (
            moved.kept_by_audience,
            counts.kept_by_audience,
            Some(KEPT_BY_AUDIENCE),
        ),
        (
            moved.kept_by_structure,
            counts.kept_by_structure,
            Some(KEPT_BY_STRUCTURE),
        ),
    ];
    if kept.iter().any(|(_, count, _)| *count > 0) {
        removed.push(Part::Text(",".into()));
        removed.extend(entities("failure", kept));
    }
    let mut parts = vec![Part::Text(format!("{head},\"memberOperations\":"))];
    parts.extend(operations(added, removed));
    parts.push(Part::Text("}".into()));
    Ok(parts)
}

/// An answer under way. It holds one piece at a time, and nothing while its reader pauses.
struct Writer {
    domain: Domain,
    context: Context,
    /// What is still to be written.
    parts: std::collections::VecDeque<Part>,
    /// The last person that was named of the first part.
    after: u32,
}

impl Writer {
    /// The next piece; nothing after the last. Where this fails the connection breaks: a part of an answer must not look like
    /// the whole.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let mut text = String::new();
        while let Some(part) = self.parts.pop_front() {
            let (people, reason, first) = match part {
                Part::Text(more) => {
                    text.push_str(&more);
                    continue;
                }
                Part::People {
                    people,
                    reason,
                    first,
                } => (people, reason, first),
            };
            let caller = &self.context.caller;
            let named = self
                .domain
                .members_name(caller, Some(DIALECT), &people, self.after, PIECE_MEMBERS)
                .await?;
            write(&mut text, caller.workspace, &named, reason, first);
            self.after = match named.last() {
                Some(last) if named.len() >= PIECE_MEMBERS => {
                    let rest = Part::People {
                        people,
                        reason,
                        first: false,
                    };
                    self.parts.push_front(rest);
                    last.person
                }
                _ => 0,
            };
            // Of a list that ended with the piece before there is nothing left to write: on to what follows.
            if !text.is_empty() {
                break;
            }
        }
        Ok((!text.is_empty()).then(|| Bytes::from(text)))
    }
}

fn write(
    text: &mut String,
    workspace: i64,
    named: &[Member],
    reason: Option<&'static str>,
    mut first: bool,
) {
    for member in named {
        if !first {
            text.push(',');
        }
        first = false;
        text.push('{');
        if let Some(reason) = reason {
            // The reasons are ours, and have nothing that JSON would escape.
            text.push_str("\"reason\":\"");
            text.push_str(reason);
            text.push_str("\",");
        }
        text.push_str("\"reference\":");
        let name = map::name_of(workspace, member);
        // A text is always JSON.
        text.push_str(&serde_json::to_string(&name).unwrap_or_default());
        text.push('}');
    }
}
