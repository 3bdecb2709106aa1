//! Bodies as `application/x-www-form-urlencoded`, read strictly: a broken escape or one that is not UTF-8 is refused, where
//! browsers would guess. A list is its name repeated, plain or as `name[]` or `name[0]`.

use super::fields::{Fields, LISTS, Value};
use crate::form::decode;

/// The fields of a form; fails with a sentence for the caller.
pub fn fields(text: &str) -> Result<Fields<'_>, String> {
    let mut fields = Fields::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        match list_name(&name) {
            Some(list) => fields.list_push(list, value)?,
            None => fields.push(name, Value::Untyped(value))?,
        }
    }
    Ok(fields)
}

/// The list that a name such as `identifiers[0]` is an item of.
fn list_name(name: &str) -> Option<&'static str> {
    let base = match name
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
    {
        Some((base, index)) if index.bytes().all(|byte| byte.is_ascii_digit()) => base,
        _ => name,
    };
    LISTS.iter().copied().find(|list| *list == base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_each_of_their_spellings() {
        for body in [
            "identifiers=a%40x&identifiers=b+c",
            "identifiers[]=a%40x&identifiers[]=b+c",
            "identifiers%5B0%5D=a@x&identifiers%5b1%5d=b%20c",
            "&identifiers=a@x&&identifiers[7]=b+c&",
        ] {
            let texts = fields(body)
                .expect("reads")
                .texts("identifiers")
                .expect("is a list");
            assert_eq!(texts.expect("is there").kept, ["a@x", "b c"], "{body}");
        }
        let one = fields("identifiers=a").expect("reads").texts("identifiers");
        assert_eq!(one.expect("is a list").expect("is there").count, 1);
    }

    #[test]
    fn values_are_decoded_as_utf_8() {
        let mut read = fields("name=b%26c%3Dd+%C3%BC&advertiserId=12&description").expect("reads");
        assert_eq!(
            read.text("name").expect("is text").as_deref(),
            Some("b&c=d ü")
        );
        assert_eq!(
            read.integer("advertiserId").expect("is an integer"),
            Some(12)
        );
        assert_eq!(
            read.text("description").expect("is text").as_deref(),
            Some("")
        );
    }

    #[test]
    fn broken_forms_are_refused() {
        for wrong in [
            "a=1&a=2",
            "a=%",
            "a=%4",
            "a=%zz",
            "%=1",
            "a=%ff",
            "a=%C3",
            "a=1&%61=2",
        ] {
            assert!(fields(wrong).is_err(), "{wrong}");
        }
        let many: String = (0..100).map(|at| format!("f{at}=1&")).collect();
        assert!(fields(&many).is_err());
    }
}
