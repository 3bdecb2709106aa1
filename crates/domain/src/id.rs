//! How a number of ours is written where a protocol wants 24 hexadecimal digits: workspace (4 bytes), kind (1 byte) and
//! number (7 bytes), so that they sort by age. A pure bijection; nothing is authorised by an id being hard to guess.

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum IdKind {
    Credential = 1,
    Audience = 2,
}

/// An id with its workspace and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialectId {
    pub workspace: i64,
    pub kind: IdKind,
    pub id: i64,
}

/// Ids are below 2^53, so that every client's JSON parser keeps them whole.
const ID_MAX: i64 = (1 << 53) - 1;

impl DialectId {
    /// 24 lower-case hexadecimal digits. Workspaces are below 2^32, ids below 2^53.
    pub fn to_hex(self) -> String {
        format!(
            "{:08x}{:02x}{:014x}",
            self.workspace, self.kind as u8, self.id
        )
    }

    /// Nothing where the text is not what [`Self::to_hex`] writes.
    pub fn from_hex(text: &str) -> Option<DialectId> {
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 24 || !text.bytes().all(digits) {
            return None;
        }
        let kind = match &text[8..10] {
            "01" => IdKind::Credential,
            "02" => IdKind::Audience,
            _ => return None,
        };
        let id = i64::from_str_radix(&text[10..], 16)
            .ok()
            .filter(|id| *id <= ID_MAX)?;
        Some(DialectId {
            workspace: i64::from_str_radix(&text[..8], 16).ok()?,
            kind,
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_back() {
        for (workspace, id) in [(1, 1), (u32::MAX.into(), ID_MAX), (7, 1_000_000)] {
            let one = DialectId {
                workspace,
                kind: IdKind::Credential,
                id,
            };
            assert_eq!(DialectId::from_hex(&one.to_hex()), Some(one));
        }
        for wrong in [
            "",
            "0000000101",
            "00000001010000000000000g",
            "00000001FF00000000000001",
            "000000010120000000000000",
        ] {
            assert_eq!(DialectId::from_hex(wrong), None, "{wrong}");
        }
    }
}
