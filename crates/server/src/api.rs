//! A client of the native API, for the commands that administer a running server.

use std::{io::ErrorKind, time::Duration};

use clap::Args;
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{Response, StatusCode},
};

use crate::failure::{Exit, Failure, Result};

/// How long one call may take: a batch of 50,000 on a busy server included.
const CALL_TIME_MAX: Duration = Duration::from_secs(150);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 32 << 20;
/// Items asked for at once.
const PAGE_ITEMS: &str = "1000";

/// Which server, and as whom.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The server
    #[arg(
        long,
        env = "THRONG_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL",
        help_heading = "Server"
    )]
    pub url: String,
    /// A native API token; better given in the environment, where other users do not see it
    #[arg(
        long,
        env = "THRONG_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Server"
    )]
    pub token: Option<String>,
    /// Print JSON for programs
    #[arg(long, help_heading = "Server")]
    pub json: bool,
}

/// A connection to a server.
pub struct Api {
    agent: Agent,
    url: String,
    authorization: String,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({})", self.url)
    }
}

/// What the server answered, or why it did not.
#[derive(Debug)]
pub enum Refusal {
    /// Trying the same again later may succeed.
    Later {
        failure: Failure,
        after: Option<Duration>,
    },
    Final(Failure),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Later { failure, .. } | Refusal::Final(failure) => failure,
        }
    }
}

impl Api {
    pub fn new(connection: &Connection) -> Result<Api> {
        let token = connection.token.as_deref().map(str::trim).filter(|token| !token.is_empty()).ok_or_else(|| {
            Failure::usage(
                "there is no API token: set THRONG_TOKEN to the one that the first start of throng serve printed, or \
                 give --token",
            )
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_global(Some(CALL_TIME_MAX))
            .user_agent(concat!("throng/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Api {
            agent: config.new_agent(),
            url: connection.url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let request = self
            .agent
            .get(self.at(path))
            .header("authorization", &self.authorization);
        let answer = request.query_pairs(query.iter().copied()).call();
        Ok(self.answered(answer)?)
    }

    /// Every item of a list, page by page.
    pub fn list(&self, path: &str, filter: &[(&str, &str)]) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE_ITEMS)];
            query.extend_from_slice(filter);
            if let Some(after) = &after {
                query.push(("after", after));
            }
            let mut page = self.get(path, &query)?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .agent
            .post(self.at(path))
            .header("authorization", &self.authorization);
        Ok(self.answered(request.send_json(body))?)
    }

    /// Every item of a list of accounts, which is paged by offset.
    pub fn accounts(&self, path: &str, filter: &[(&str, &str)]) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            let offset = items.len().to_string();
            let mut query = vec![("limit", PAGE_ITEMS), ("offset", offset.as_str())];
            query.extend_from_slice(filter);
            let mut page = self.get(path, &query)?;
            let total = page.get("total").and_then(Value::as_u64).unwrap_or(0);
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(found)) if !found.is_empty() => items.extend(found),
                _ => return Ok(items),
            }
            if items.len() as u64 >= total {
                return Ok(items);
            }
        }
    }

    /// Writes an answer that is no JSON as it comes in, however long that takes.
    pub fn download(
        &self,
        path: &str,
        query: &[(&str, &str)],
        to: &mut impl std::io::Write,
    ) -> Result<()> {
        let request = self
            .agent
            .get(self.at(path))
            .config()
            .timeout_global(None)
            .timeout_recv_response(Some(CALL_TIME_MAX))
            .build()
            .header("authorization", &self.authorization);
        let answer = request.query_pairs(query.iter().copied()).call();
        match answer {
            Ok(mut response) if response.status().is_success() => {
                let broken = |error| Failure::failed(format!("the file is not whole: {error}"));
                std::io::copy(&mut response.body_mut().as_reader(), to).map_err(broken)?;
                to.flush().map_err(broken)
            }
            answer => Ok(self.answered(answer).map(drop)?),
        }
    }

    /// A POST that may be sent again: the server carries it out once.
    pub fn post_once(
        &self,
        path: &str,
        body: &Value,
        key: &str,
    ) -> std::result::Result<Value, Refusal> {
        let request = self
            .agent
            .post(self.at(path))
            .header("authorization", &self.authorization);
        self.answered(request.header("idempotency-key", key).send_json(body))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.patch_with(path, &[], body)
    }

    pub fn patch_with(&self, path: &str, query: &[(&str, &str)], body: &Value) -> Result<Value> {
        let request = self
            .agent
            .patch(self.at(path))
            .header("authorization", &self.authorization);
        let request = request.query_pairs(query.iter().copied());
        Ok(self.answered(request.send_json(body))?)
    }

    /// A PUT without a body.
    pub fn put(&self, path: &str) -> Result<Value> {
        let request = self
            .agent
            .put(self.at(path))
            .header("authorization", &self.authorization);
        Ok(self.answered(request.send_empty())?)
    }

    pub fn put_with(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .agent
            .put(self.at(path))
            .header("authorization", &self.authorization);
        Ok(self.answered(request.send_json(body))?)
    }

    pub fn delete(&self, path: &str) -> Result<Value> {
        self.delete_with(path, &[])
    }

    pub fn delete_with(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let request = self
            .agent
            .delete(self.at(path))
            .header("authorization", &self.authorization);
        let answer = request.query_pairs(query.iter().copied()).call();
        Ok(self.answered(answer)?)
    }

    fn at(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.url)
    }

    fn answered(
        &self,
        answer: std::result::Result<Response<Body>, ureq::Error>,
    ) -> std::result::Result<Value, Refusal> {
        let mut response = answer.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let seconds = |value: &ureq::http::HeaderValue| {
            value.to_str().ok()?.parse().ok().map(Duration::from_secs)
        };
        let after = response.headers().get("retry-after").and_then(seconds);
        let id = response
            .headers()
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
            .unwrap_or("none")
            .to_owned();
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            if body.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&body).map_err(|_| Refusal::Final(self.strange(status)));
        }
        let failure = self.refused(status, &body, &id);
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Refusal::Later { failure, after }
            }
            _ => Refusal::Final(failure),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Refusal {
        let url = &self.url;
        let text = match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                return Refusal::Final(Failure::usage(format!(
                    "{url:?} is no URL of a server, such as http://127.0.0.1:8080"
                )));
            }
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                format!(
                    "nothing answers at {url}: is throng running? Start it with throng serve, or name another with --url"
                )
            }
            ureq::Error::HostNotFound => format!("the host of {url} is not known"),
            error => format!("no answer from {url}: {error}"),
        };
        Refusal::Later {
            failure: Failure::new(Exit::Unreachable, text),
            after: None,
        }
    }

    fn strange(&self, status: StatusCode) -> Failure {
        Failure::failed(format!(
            "{} answered {} and no JSON: is it a throng server?",
            self.url,
            status.as_u16()
        ))
    }

    fn refused(&self, status: StatusCode, body: &[u8], id: &str) -> Failure {
        let Ok(problem) = serde_json::from_slice::<Value>(body) else {
            return self.strange(status);
        };
        let text = |name: &str| problem.get(name).and_then(Value::as_str);
        let detail = text("detail")
            .or_else(|| text("title"))
            .unwrap_or("The server gave no reason.");
        let field = text("field")
            .map(|field| format!(" (field {field})"))
            .unwrap_or_default();
        let hint = match status {
            StatusCode::UNAUTHORIZED => " Check THRONG_TOKEN or --token.",
            _ => "",
        };
        Failure::failed(format!(
            "{detail}{field}{hint} [status {}, request {id}]",
            status.as_u16()
        ))
    }
}
