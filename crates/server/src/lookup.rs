//! Accounts and groups as people name them on the command line, found through the native API.

use std::io::{BufRead, IsTerminal, Read};

use domain::{ACTIONS, RESOURCES, SITE};
use serde_json::Value;

use crate::{
    admin::cell,
    api::Api,
    failure::{Failure, Result},
    output,
};

/// Bytes of a line with a password.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// The account of an id, a user name or an e-mail address.
pub fn account(api: &Api, name: &str) -> Result<Value> {
    if is_id(name) {
        return api.get(&format!("/accounts/{name}"), &[]);
    }
    let named = |field: &'static str| {
        move |account: &&Value| {
            let value = account[field].as_str().unwrap_or_default();
            value.to_lowercase() == name.to_lowercase()
        }
    };
    let found = api.accounts("/accounts", &[("search", name)])?;
    // An address before a name: a name may look like an address.
    let account = found
        .iter()
        .find(named("email"))
        .or_else(|| found.iter().find(named("username")));
    account.cloned().ok_or_else(|| {
        Failure::failed(format!(
            "there is no account {name:?}: name it by id, user name or e-mail address, as throng account list shows them"
        ))
    })
}

/// The group of an id, a uid or a title.
pub fn group(api: &Api, name: &str) -> Result<Value> {
    let groups = api.list("/groups", &[])?;
    let by = |field: &str| {
        let named = |group: &&Value| cell(group, field) == name;
        groups.iter().filter(named).collect::<Vec<_>>()
    };
    for found in [by("id"), by("uid"), by("title")] {
        match found[..] {
            [] => {}
            [group] => return Ok(group.clone()),
            _ => {
                return Err(Failure::failed(format!(
                    "more than one group is called {name:?}: name it by its uid, as throng group list shows them"
                )));
            }
        }
    }
    Err(Failure::failed(format!(
        "there is no group {name:?}: name it by id, uid or title, as throng group list shows them"
    )))
}

/// The ids of groups.
pub fn groups(api: &Api, names: &[String]) -> Result<Vec<Value>> {
    let ids = names.iter().map(|name| Ok(group(api, name)?["id"].clone()));
    ids.collect()
}

fn is_id(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// A password as one line of standard input: on a command line other users could see it.
pub fn password() -> Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        output::note("Type the password, which will be seen here, and press Enter:");
    }
    let mut line = Vec::new();
    let read = input
        .lock()
        .take(PASSWORD_BYTES_MAX)
        .read_until(b'\n', &mut line);
    read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
    let line = String::from_utf8(line).map_err(|_| Failure::usage("the password is not UTF-8"))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        let text = "there is no password on standard input: pipe one line to --password-stdin";
        return Err(Failure::usage(text));
    }
    Ok(line.to_owned())
}

/// What can be said to `--permission`, for the help.
pub fn permissions_help() -> String {
    let wrapped = |words: &[&str]| {
        let mut text = String::new();
        let mut width = 0;
        for word in words {
            if width + word.len() > 90 {
                text.push_str("\n ");
                width = 0;
            }
            width += word.len() + 1;
            text.push(' ');
            text.push_str(word);
        }
        text
    };
    format!(
        "Permissions: a word, or RESOURCE:ACTION. edit_domain makes an administrator, who may everything.\n \
         {}\n  RESOURCE: {}\n  ACTION:   {}",
        wrapped(&SITE),
        RESOURCES.join(" "),
        ACTIONS.join(" ")
    )
}
