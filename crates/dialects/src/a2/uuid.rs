//! UUIDs as clients write them, and what is wrong with text that is none, in the words of pydantic.

const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// The UUID in lower case with hyphens. Taken are also one without hyphens, in braces, and as a URN (RFC 9562 section 4).
pub fn parse(text: &str) -> Result<String, String> {
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| text.strip_prefix("urn:uuid:"));
    let (digits, bare) = (inner.unwrap_or(text), inner.is_none());
    let wrong = digits
        .char_indices()
        .find(|(_, letter)| !letter.is_ascii_hexdigit() && *letter != '-');
    if let Some((index, letter)) = wrong {
        let index = index + if bare { 0 } else { text.len() - digits.len() };
        return Err(format!("invalid character: found `{letter}` at {index}"));
    }
    let groups: Vec<&str> = digits.split('-').collect();
    if groups.len() == 1 && bare {
        if digits.len() != 32 {
            return Err(format!("invalid length: found {}", digits.len()));
        }
        let text = digits.to_ascii_lowercase();
        let mut parts = Vec::with_capacity(GROUPS.len());
        let mut rest = text.as_str();
        for size in GROUPS {
            let (part, after) = rest.split_at(size);
            parts.push(part);
            rest = after;
        }
        return Ok(parts.join("-"));
    }
    if groups.len() != GROUPS.len() {
        let count = groups.len();
        return Err(format!("invalid group count: expected 5, found {count}"));
    }
    for (index, (group, size)) in groups.iter().zip(GROUPS).enumerate() {
        if group.len() != size {
            let found = group.len();
            return Err(format!(
                "invalid group length in group {index}: expected {size}, found {found}"
            ));
        }
    }
    Ok(digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

    #[test]
    fn each_spelling_is_the_same() {
        for text in [
            ONE.to_owned(),
            ONE.to_uppercase(),
            ONE.replace('-', ""),
            format!("{{{ONE}}}"),
            format!("urn:uuid:{ONE}"),
        ] {
            assert_eq!(parse(&text).as_deref(), Ok(ONE), "{text}");
        }
    }

    /// As pydantic 2.14 answered them.
    #[test]
    fn what_is_none_is_explained() {
        for (text, error) in [
            ("not-a-uuid", "invalid character: found `n` at 0"),
            ("é", "invalid character: found `é` at 0"),
            ("12", "invalid length: found 2"),
            ("", "invalid length: found 0"),
            ("3c90c3cc-0d44", "invalid group count: expected 5, found 2"),
            ("{12}", "invalid group count: expected 5, found 1"),
            (
                "3c90c3cc-0d4-44b50-8888-8dd25736052a",
                "invalid group length in group 1: expected 4, found 3",
            ),
            (
                "3c90c3cc-0d44-4b50-8888-8dd2573605",
                "invalid group length in group 4: expected 12, found 10",
            ),
        ] {
            assert_eq!(parse(text).as_ref().map_err(String::as_str), Err(error));
        }
    }
}
