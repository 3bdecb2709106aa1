//! The activity log, newest first.

use super::{
    call::{Answer, Call, ok},
    error::Problem,
    fields::whole,
    invalid::{Fault, Invalid},
    map,
};

const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = domain::limits::PAGE_ITEMS_MAX as i64;

/// `GET /activity-logs?limit=&before=`
pub async fn list(call: Call) -> Answer {
    let limit = call.query("limit");
    let (limit, before) = match (
        number("limit", limit),
        number("before", call.query("before")),
    ) {
        (Ok(limit), Ok(before)) => (limit.unwrap_or(LIMIT_DEFAULT), before),
        (limit, before) => {
            let errors = [limit.err(), before.err()].into_iter().flatten();
            return Err(Problem::invalid(errors.flatten().collect()));
        }
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let page = call.domain.activity_list(call.caller()?, before, limit);
    let page = page.await?.into_iter();
    let entries = page.map(|entry| map::activity(call.workspace, entry));
    ok(&entries.collect::<Vec<_>>())
}

/// A parameter; the limit has bounds.
fn number(name: &str, text: Option<String>) -> Result<Option<i64>, Vec<Invalid>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let read = whole(&text).and_then(|number| match number {
        number if name == "limit" && number < 1 => Err(Fault::less_than(1.into())),
        number if name == "limit" && number > LIMIT_MAX => Err(Fault::more_than(LIMIT_MAX)),
        number => Ok(Some(number)),
    });
    read.map_err(|fault| vec![fault.at(vec!["query".into(), name.into()], text.into())])
}
