//! The escapes of `application/x-www-form-urlencoded`, read strictly: a broken one, or one that is not UTF-8, is refused,
//! where browsers would guess.

use std::borrow::Cow;

/// Decodes `+` and `%XX`; borrows where there is nothing to decode. Fails with a sentence for the caller.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (escape, after) = rest.split_at_checked(2).ok_or("an escape is cut off")?;
                bytes.push(from_hex(escape).ok_or("an escape is not two hexadecimal digits")?);
                rest = after;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| "an escape is not UTF-8".to_owned())
}

fn from_hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_utf_8() {
        assert!(matches!(decode("plain"), Ok(Cow::Borrowed("plain"))));
        assert_eq!(decode("b%26c%3Dd+%C3%BC").as_deref(), Ok("b&c=d ü"));
        for wrong in ["%", "%4", "%zz", "%ff", "%C3"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }
}
