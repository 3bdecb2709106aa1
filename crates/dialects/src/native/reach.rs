//! Questions about audiences: how many people an expression holds, what audiences share, and which audiences hold somebody.
//!
//! All of them are reads, and POSTs only since what they ask does not fit a URL, or does not belong there.

use axum::extract::State;
use domain::{Domain, Formula};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, ok},
    members::off_worker_if,
    wire_reach::{Lookup, LookupAsked, Overlap, OverlapAsked, OverlapQuestion, Reach, ReachAsked},
};
use crate::limits;

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(reach))
        .routes(routes!(overlap))
        .routes(routes!(people_lookup))
}

/// Count people
///
/// The exact number of people whom an expression holds, and how many each audience does that it names. A name that more than one
/// audience has is refused with those that it could mean. Needs the scope `audiences:read`, or the key of an account that may
/// list the members of each; a token that does not see the whole workspace counts nobody whom none of its audiences holds. A
/// question that takes longer than 30 seconds is refused (`too_slow`).
#[utoipa::path(post, path = "/api/v1/reach", tag = "reach", request_body = ReachAsked,
    responses((status = 200, description = "How many.", body = Reach)))]
async fn reach(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.into_read().json::<ReachAsked>().await?;
    let formula = Formula::try_from(body)?;
    let found = domain.reach(&context.caller, &formula).await?;
    ok(&Reach::from(found))
}

/// Compare audiences
///
/// The exact number of people whom audiences share: each with each, with the exact regions of up to six if asked for; or one
/// audience with many. Who may ask is as for counting people.
#[utoipa::path(post, path = "/api/v1/overlap", tag = "reach", request_body = OverlapAsked,
    responses((status = 200, description = "What they share.", body = Overlap)))]
async fn overlap(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.into_read().json::<OverlapAsked>().await?;
    let found = match OverlapQuestion::try_from(body)? {
        OverlapQuestion::Among { audiences, regions } => {
            let found = domain.overlap(&context.caller, &audiences, regions).await?;
            Overlap::from(found)
        }
        OverlapQuestion::Against { audience, against } => {
            let found = domain
                .overlap_against(&context.caller, &audience, &against)
                .await?;
            Overlap::from(found)
        }
    };
    ok(&found)
}

/// Look people up
///
/// For people by their identifiers, whether they are known and which structures and audiences of the token's portfolio hold them,
/// smart ones included. Nobody is made. Needs the scopes `people:read` and `audiences:read`.
#[utoipa::path(post, path = "/api/v1/people/lookup", tag = "reach", request_body = LookupAsked,
    responses((status = 200, description = "For each of those asked about.", body = Lookup)))]
async fn people_lookup(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, bytes) = call.into_read().json_bytes(limits::BODY_BYTES_MAX).await?;
    let (members, after, limit) = LookupAsked::parse(&bytes)?;
    let builder = domain.question(&context.caller, members.count()).await?;
    let question = off_worker_if(members.count(), move || members.question(builder)).await?;
    let found = domain
        .people_lookup(&context.caller, &question, after, limit)
        .await?;
    ok(&Lookup::from(found))
}
