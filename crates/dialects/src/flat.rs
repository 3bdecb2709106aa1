//! The JSON that large requests are made of, read in one pass that builds nothing: an object of texts, integers, nulls and
//! lists of texts, none of which holds an escape.
//!
//! Not a JSON parser: whatever else a body holds, nothing is answered, and a parser that knows all of JSON and its errors
//! reads it instead. Invariant: what is answered is what that parser would have found.

/// A value of a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flat<'a, T> {
    Null,
    Integer(i64),
    Text(&'a str),
    /// A list; `count` goes on where `kept` stops.
    Texts {
        kept: Vec<T>,
        count: usize,
    },
}

/// Fields of one body; more are left to the parser.
const FIELDS_MAX: usize = 16;

/// The fields of a body in their order, names that come twice included; of a list at most `kept_max` texts are kept.
pub(crate) fn object<'a, T: From<&'a str>>(
    text: &'a str,
    kept_max: usize,
) -> Option<Vec<(&'a str, Flat<'a, T>)>> {
    let mut reader = Reader { text, at: 0 };
    let mut fields = Vec::new();
    reader.expect(b'{')?;
    if reader.take(b'}') {
        return reader.end().then_some(fields);
    }
    loop {
        let name = reader.text()?;
        reader.expect(b':')?;
        fields.push((name, reader.value(kept_max)?));
        if fields.len() > FIELDS_MAX {
            return None;
        }
        if reader.take(b',') {
            continue;
        }
        reader.expect(b'}')?;
        return reader.end().then_some(fields);
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return Some(*byte),
            }
        }
        None
    }

    /// Takes a byte if it is the next that is no space.
    fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// A text without escapes and without the control characters that JSON forbids in it.
    fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let rest = &self.text.as_bytes()[self.at..];
        let len = plain_len(rest);
        if rest.get(len) != Some(&b'"') {
            return None;
        }
        let text = self.text.get(self.at..self.at + len)?;
        self.at += len + 1;
        Some(text)
    }

    fn value<T: From<&'a str>>(&mut self, kept_max: usize) -> Option<Flat<'a, T>> {
        match self.peek()? {
            b'"' => self.text().map(Flat::Text),
            b'[' => self.texts(kept_max),
            b'n' => {
                let rest = self.text.as_bytes()[self.at..].strip_prefix(b"null")?;
                self.at = self.text.len() - rest.len();
                Some(Flat::Null)
            }
            b'-' | b'0'..=b'9' => self.integer(),
            _ => None,
        }
    }

    fn integer<T>(&mut self) -> Option<Flat<'a, T>> {
        let rest = &self.text.as_bytes()[self.at..];
        let sign = usize::from(rest[0] == b'-');
        let digits = &rest[sign..];
        let len = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        // No fraction, no exponent, no zero before other digits or behind a minus sign, which JSON reads as a fraction.
        let strange = matches!(digits.get(len), Some(b'.' | b'e' | b'E'))
            || digits.first() == Some(&b'0') && (len > 1 || sign > 0);
        let text = self.text.get(self.at..self.at + sign + len)?;
        let value = text.parse().ok().filter(|_| !strange)?;
        self.at += text.len();
        Some(Flat::Integer(value))
    }

    fn texts<T: From<&'a str>>(&mut self, kept_max: usize) -> Option<Flat<'a, T>> {
        self.expect(b'[')?;
        let (mut kept, mut count) = (Vec::new(), 0);
        if self.take(b']') {
            return Some(Flat::Texts { kept, count });
        }
        loop {
            let text = self.text()?;
            if count == 0 {
                // As many as there is room for, if the others are as long: mostly they are.
                let most = (self.text.len() - self.at) / (text.len() + 3) + 2;
                kept.reserve_exact(most.min(kept_max));
            }
            if count < kept_max {
                kept.push(T::from(text));
            }
            count += 1;
            if !self.take(b',') {
                self.expect(b']')?;
                return Some(Flat::Texts { kept, count });
            }
        }
    }
}

/// How many bytes there are before the first quote, backslash or control character. Hot: all of a large body goes through it.
fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each byte that is zero once the byte looked for is taken off; below the first, none is set wrongly.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let escape = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | escape | control) & HIGHS;
        if found != 0 {
            return 8 * number + found.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    8 * words.len() + rest.iter().take_while(plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What the parser of all JSON finds, if a body is flat.
    fn parsed(text: &str) -> Option<Vec<(String, Value)>> {
        let value: Value = serde_json::from_str(text).ok()?;
        let object = value.as_object()?;
        Some(
            object
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    fn agrees(text: &str) -> bool {
        let Some(fields) = object::<&str>(text, usize::MAX) else {
            return true;
        };
        let mut found: Vec<(String, Value)> = Vec::new();
        for (name, value) in fields {
            let value = match value {
                Flat::Null => Value::Null,
                Flat::Integer(value) => value.into(),
                Flat::Text(text) => text.into(),
                Flat::Texts { kept, count } => {
                    assert_eq!(kept.len(), count);
                    kept.into()
                }
            };
            // The parser keeps the last of a name; whoever asks for fields refuses the second.
            found.retain(|(other, _)| other != name);
            found.push((name.to_owned(), value));
        }
        let Some(mut expected) = parsed(text) else {
            return false;
        };
        found.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        found == expected
    }

    #[test]
    fn flat_bodies_are_read() {
        let text = " {\"a\" : \"x\", \"b\":[\"1\",\"two\" , \"dr\u{e9}i\"],\n\"c\":-12,\"d\":null,\"e\":[],\"f\":0}\r\n";
        let fields = object::<&str>(text, 2).expect("is flat");
        let texts = |kept: &[&'static str], count| Flat::Texts {
            kept: kept.to_vec(),
            count,
        };
        assert_eq!(
            fields,
            [
                ("a", Flat::Text("x")),
                ("b", texts(&["1", "two"], 3)),
                ("c", Flat::Integer(-12)),
                ("d", Flat::Null),
                ("e", texts(&[], 0)),
                ("f", Flat::Integer(0)),
            ]
        );
        assert_eq!(object::<&str>("{}", 1), Some(Vec::new()));
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        for text in [
            "",
            "{",
            "[]",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":\"\\n\"}",
            "{\"\\u0061\":1}",
            "{\"a\":\"\n\"}",
            "{\"a\":true}",
            "{\"a\":{}}",
            "{\"a\":[1]}",
            "{\"a\":[\"x\",]}",
            "{\"a\":[,]}",
            "{\"a\":[\"x\" \"y\"]}",
            "{\"a\":[\"x\"}",
            "{\"a\":1.5}",
            "{\"a\":1e3}",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":-0}",
            "{\"a\":+1}",
            "{\"a\":9223372036854775808}",
            "{\"a\":nul}",
            "{\"a\":\"x}",
            "{a:1}",
            "\u{feff}{}",
            "{\"a\":\"\u{1f}\"}",
            "{\"a\":\"1234567\u{1f}\"}",
        ] {
            assert_eq!(object::<&str>(text, 9), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_answered_is_what_the_parser_finds(text in "\\{(\"[a-c]{0,2}\" ?: ?(null|-?[0-9]{1,3}|\"[ -~\u{80}-\u{100}\n]{0,20}\"|\\[(\"[!-~\u{e9}]{0,9}\",?){0,3}\\]),?){0,4}\\}[ x]?") {
            prop_assert!(agrees(&text), "{}", text);
        }

        #[test]
        fn plain_bytes_are_counted(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let expected = bytes.iter().take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\').count();
            prop_assert_eq!(plain_len(&bytes), expected);
        }
    }
}
