//! What the OpenAPI document says beyond the single operations: the security scheme, the problems that any operation can
//! answer, and the Idempotency-Key. Added by rule, so that no operation can forget them.

use std::collections::BTreeMap;

use utoipa::openapi::{
    ComponentsBuilder, Content, Header, HttpMethod, Info, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathItem, Ref, RefOr, Required, Response, ResponseBuilder, Type,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

use super::problem::{Kind, MEDIA_TYPE};

const SECURITY: &str = "token";
const IDEMPOTENCY_KEY: &str = "IdempotencyKey";

const TAGS: [(&str, &str); 16] = [
    (
        "workspaces",
        "Tenants, each behind its own wall, and who a token stands for.",
    ),
    (
        "structures",
        "The owners of audiences. A credential's portfolio is a list of structures.",
    ),
    (
        "audiences",
        "Named sets of people, in a tree of two levels: a structure, and below it the audiences that it owns.",
    ),
    (
        "members",
        "Who is in an audience. Identifiers travel in bodies, never in URLs.",
    ),
    (
        "reach",
        "Exact counts of expressions over audiences, what audiences share, and which of them hold somebody. Each answer names \
         the position in the workspace's log that it speaks for.",
    ),
    (
        "managers",
        "People who look after an audience or a structure. A key of an account may do what its person may, where the \
         account's e-mail address is verified.",
    ),
    (
        "jobs",
        "Work that takes longer than a request and goes on by itself.",
    ),
    ("credentials", "API tokens and other protocols' clients."),
    (
        "accounts",
        "Who operates the workspace: people who sign in, and what each of them may do.",
    ),
    (
        "groups",
        "Groups of accounts, whose permissions their members have too.",
    ),
    (
        "keys",
        "Credentials that belong to an account and can do no more than it. One that lets through less than all reaches \
         no other key of the account.",
    ),
    (
        "channels",
        "The ways on which people are reached: integrations with the providers of channels, and how many people each \
         channel reaches.",
    ),
    ("identity", "What was seen of who is who."),
    ("activity", "Who did what, when."),
    (
        "webhooks",
        "What happens to audiences and to people on their channels, sent to others as Standard Webhooks has it.",
    ),
    (
        "outbox",
        "What has to leave the server: mail, messages on channels, and events for webhooks.",
    ),
];

/// How the paths of POSTs end that only ask.
const READS: [&str; 4] = ["/contains", "/reach", "/overlap", "/people/lookup"];

const DESCRIPTION: &str = "\
What Throng itself can do, in its own words.

Bodies are JSON in UTF-8. Times are RFC 3339 in UTC with milliseconds, ids are numbers below 2^53. Unknown fields and \
query parameters are refused. Errors are problem details (RFC 9457). Lists are paged by key: follow `next`, or the Link \
header, until there is none; lists of accounts are sorted, so they are paged by `offset` and say their `total`. An `Idempotency-Key` makes a POST or PATCH safe to repeat for 24 hours. Where the server \
limits requests, `RateLimit` and `RateLimit-Policy` say what is left. Every path also exists under `/w/{slug}`, where \
only tokens of that workspace are taken.";

/// The document before its operations.
pub(crate) fn frame() -> OpenApi {
    let tags =
        TAGS.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A native API token: `Authorization: Bearer thr_...`."))
        .build();
    let mut components = ComponentsBuilder::new()
        .security_scheme(SECURITY, SecurityScheme::Http(token))
        .build();
    components
        .parameters
        .insert(IDEMPOTENCY_KEY.to_owned(), RefOr::T(idempotency_key()));
    for (status, response) in problems() {
        components
            .responses
            .insert(response_name(status), RefOr::T(response));
    }
    let mut info = Info::new("Throng", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.to_owned());
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .tags(Some(tags))
        .security(Some([SecurityRequirement::new(
            SECURITY,
            Vec::<String>::new(),
        )]))
        .build()
}

/// Adds to every operation what follows from its path and method.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(path, &method, operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete_operation(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let writes = matches!(method, HttpMethod::Post | HttpMethod::Patch);
    let mut statuses: Vec<u16> = vec![401, 403, 429, 500, 503];
    if path.contains('{') {
        statuses.push(404);
    }
    if writes || operation.request_body.is_some() {
        statuses.extend([400, 413, 422]);
    }
    if operation.request_body.is_some() {
        statuses.push(415);
    }
    let parameters = operation.parameters.get_or_insert_default();
    if parameters
        .iter()
        .any(|parameter| matches!(parameter, RefOr::T(p) if p.parameter_in == ParameterIn::Query))
    {
        statuses.push(422);
    }
    if writes && !READS.iter().any(|read| path.ends_with(read)) {
        parameters.push(RefOr::Ref(Ref::new(format!(
            "#/components/parameters/{IDEMPOTENCY_KEY}"
        ))));
    }
    for status in statuses {
        let response = Ref::new(format!("#/components/responses/{}", response_name(status)));
        operation
            .responses
            .responses
            .entry(status.to_string())
            .or_insert(RefOr::Ref(response));
    }
}

fn response_name(status: u16) -> String {
    format!("Problem{status}")
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "1 to 255 printable ASCII characters, quoted or bare. For 24 hours the same request with the same key gets \
             the same answer and nothing happens twice; another request with the key is 422. Failures are not kept.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255))))
        .build()
}

/// One response for each status, with the meaning of every kind of problem that has it.
fn problems() -> BTreeMap<u16, Response> {
    let mut meanings: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for text in Kind::ALL.map(Kind::text) {
        meanings
            .entry(text.status.as_u16())
            .or_default()
            .push(text.meaning);
    }
    let problem = || Content::new(Some(Ref::from_schema_name("Problem")));
    let text = |description: &str| {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
        header.description = Some(description.to_owned());
        header
    };
    let responses = meanings.into_iter().map(|(status, meanings)| {
        let response = ResponseBuilder::new()
            .description(meanings.join(" Or: "))
            .content(MEDIA_TYPE, problem());
        let response = match status {
            401 => response.header("WWW-Authenticate", text("Bearer (RFC 6750).")),
            405 => response.header("Allow", text("The methods that the path takes.")),
            429 | 503 => response.header("Retry-After", text("Seconds to wait.")),
            _ => response,
        };
        (status, response.build())
    });
    responses.collect()
}
