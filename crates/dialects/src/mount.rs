//! Which dialect and workspace a request is for, before routing: `/w/{slug}/...` names a workspace, and a host name of the
//! operator's table names a dialect's mount and possibly a workspace, so that a DNS name alone switches a client over.

use std::collections::HashMap;

use axum::http::{Request, Uri, header::HOST, uri::PathAndQuery};
use domain::{Domain, Error, Mount};

use crate::request::Reached;

/// Where the requests for a host name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Put before the path, as in `/criteo`.
    pub prefix: String,
    /// The slug of a workspace.
    pub workspace: Option<String>,
}

/// The operator's table of host names, lower-case and without port.
pub type Hosts = HashMap<String, HostMount>;

/// Rewrites the request's path to the dialect's own and notes the [`Mount`] in its extensions, and what was [`Reached`] where
/// it differs.
/// A slug that no workspace has is no error here: the dialect refuses every credential under it, in its own words.
pub async fn resolve<B>(
    domain: &Domain,
    hosts: &Hosts,
    request: &mut Request<B>,
) -> Result<(), Error> {
    let named = host_of(request).and_then(|(name, port)| Some((hosts.get(&name)?, name, port)));
    let host = named.as_ref().map(|(host, _, _)| *host);
    let (slug, path) = split_slug(request.uri());
    // The pages behind mailed links and the hooks of providers belong to no dialect.
    let is_anybodys = ["/account/", "/hooks/"]
        .iter()
        .any(|root| path.starts_with(root));
    let prefix = host.map_or("", |host| host.prefix.as_str());
    let prefix = if is_anybodys { "" } else { prefix };
    let slug = slug.or_else(|| host.and_then(|host| host.workspace.clone()));
    if prefix.is_empty() && slug.is_none() {
        request.extensions_mut().insert(Mount::default());
        return Ok(());
    }
    let rewritten = format!("{prefix}{path}");
    let mut parts = request.uri().clone().into_parts();
    let reached = Reached {
        authority: named.map(|(_, name, port)| format!("{name}{port}")),
        path: request.uri().path().to_owned(),
    };
    parts.path_and_query =
        Some(PathAndQuery::try_from(rewritten).map_err(|_| Error::NotFound("route"))?);
    request.extensions_mut().insert(reached);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Error::NotFound("route"))?;
    let mount = match slug {
        Some(slug) => domain.mount(&slug).await?,
        None => Mount::default(),
    };
    request.extensions_mut().insert(mount);
    Ok(())
}

/// The name in lower case, and the port with its colon.
fn host_of<B>(request: &Request<B>) -> Option<(String, String)> {
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let (name, port) = match host.rsplit_once(':') {
        Some((name, "")) => (name, String::new()),
        Some((name, port)) if is_port(port) => (name, format!(":{port}")),
        _ => (host, String::new()),
    };
    Some((name.to_ascii_lowercase(), port))
}

/// The slug of `/w/{slug}/rest` and `/rest` with the query; without a slug, the path as it is.
fn split_slug(uri: &Uri) -> (Option<String>, &str) {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let Some(rest) = whole.strip_prefix("/w/") else {
        return (None, whole);
    };
    match rest.find(['/', '?']) {
        Some(end) if rest.as_bytes()[end] == b'/' => (Some(rest[..end].to_owned()), &rest[end..]),
        _ => (None, whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_a_port() {
        let split = |text: &str| {
            let request = Request::builder().header(HOST, text).body(());
            host_of(&request.expect("a request"))
        };
        let is = |name: &str, port: &str| Some((name.to_owned(), port.to_owned()));
        assert_eq!(split("Acme.Example"), is("acme.example", ""));
        assert_eq!(split("acme.example:8443"), is("acme.example", ":8443"));
        assert_eq!(split("acme.example:"), is("acme.example", ""));
        assert_eq!(split("acme.example:8o"), is("acme.example:8o", ""));
        assert_eq!(split("acme.example:123456"), is("acme.example:123456", ""));
    }

    #[test]
    fn a_slug_is_split_off_the_path() {
        let split = |text: &str| {
            let uri: Uri = text.parse().expect("a path");
            let (slug, path) = split_slug(&uri);
            (slug, path.to_owned())
        };
        assert_eq!(
            split("/w/acme/criteo/v1?a=/b"),
            (Some("acme".into()), "/criteo/v1?a=/b".into())
        );
        assert_eq!(split("/criteo/v1?a=b"), (None, "/criteo/v1?a=b".into()));
        assert_eq!(split("/w/acme"), (None, "/w/acme".into()));
        assert_eq!(split("/w/acme?x=/y"), (None, "/w/acme?x=/y".into()));
    }
}
