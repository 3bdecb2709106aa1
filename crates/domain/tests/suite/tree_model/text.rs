//! How the model's numbers are written in requests and answers.

use domain::{DialectId, IdKind, rfc3339};

use super::model::{Model, Name, Node};
use crate::support::START_MS;

pub fn name(number: u8) -> String {
    format!("name {number}")
}

pub fn reference(number: u8) -> String {
    format!("node-{number}")
}

/// The name and reference of a node.
pub fn of(node: &Node) -> (String, Option<String>) {
    (name(node.name), node.reference.map(reference))
}

pub fn email(number: u8) -> String {
    format!("person-{number}@example.org")
}

pub fn record_reference(number: u8) -> String {
    format!("ref-{number}")
}

/// The number in an address or reference.
pub fn number(text: Option<&str>) -> Option<u8> {
    let digits: String = text?.chars().filter(char::is_ascii_digit).collect();
    Some(digits.parse().expect("a number"))
}

/// The day so many days after the first.
pub fn day(number: i64) -> String {
    rfc3339(START_MS + number * 86_400_000)[..10].to_owned()
}

pub fn day_of(text: &str) -> i64 {
    (-10..1_000)
        .find(|number| day(*number) == text)
        .expect("a day of a test")
}

/// A name as a request has it.
pub fn named(model: &Model, name: Name) -> String {
    let hex = |kind, id| DialectId {
        workspace: 1,
        kind,
        id,
    };
    match name {
        Name::Email(number) => email(number).to_uppercase(),
        Name::Reference(number) => record_reference(number),
        Name::Record(slot) => hex(IdKind::Record, model.record(slot).unwrap_or(999_999)).to_hex(),
        Name::Person(number) => hex(IdKind::Person, number.into()).to_hex(),
    }
}
