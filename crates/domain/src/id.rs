//! How a number of ours is written where a protocol wants 24 hexadecimal digits or a UUID: workspace (4 bytes), kind
//! (1 byte) and number (7 bytes), so that they sort by age. Pure bijections; nothing is authorised by an id being hard to
//! guess.

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum IdKind {
    Credential = 1,
    Audience = 2,
    Account = 3,
    Group = 4,
    Consent = 5,
    Activity = 6,
    Record = 7,
    /// The number of a person.
    Person = 8,
    Webhook = 9,
    Event = 10,
    Client = 11,
    Conversation = 12,
    Message = 13,
    Integration = 14,
    /// A workspace, where a protocol has a name of its own for it.
    Workspace = 15,
    Participant = 16,
    /// An item of the outbox.
    Outbox = 17,
}

impl IdKind {
    const ALL: [IdKind; 17] = [
        IdKind::Credential,
        IdKind::Audience,
        IdKind::Account,
        IdKind::Group,
        IdKind::Consent,
        IdKind::Activity,
        IdKind::Record,
        IdKind::Person,
        IdKind::Webhook,
        IdKind::Event,
        IdKind::Client,
        IdKind::Conversation,
        IdKind::Message,
        IdKind::Integration,
        IdKind::Workspace,
        IdKind::Participant,
        IdKind::Outbox,
    ];
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
        let kind = u8::from_str_radix(&text[8..10], 16).ok()?;
        let kind = IdKind::ALL.into_iter().find(|known| *known as u8 == kind)?;
        let id = i64::from_str_radix(&text[10..], 16)
            .ok()
            .filter(|id| *id <= ID_MAX)?;
        Some(DialectId {
            workspace: i64::from_str_radix(&text[..8], 16).ok()?,
            kind,
            id,
        })
    }

    /// A UUID of version 8 (RFC 9562 section 5.8) that holds the same, in lower case with hyphens.
    pub fn to_uuid(self) -> String {
        let id = self.id;
        format!(
            "{:08x}-{:02x}00-8000-80{:02x}-{:012x}",
            self.workspace,
            self.kind as u8,
            id >> 48 & 0xff,
            id & 0xffff_ffff_ffff
        )
    }

    /// Nothing where the text is not what [`Self::to_uuid`] writes; upper case is taken too, as RFC 9562 section 4 asks.
    pub fn from_uuid(text: &str) -> Option<DialectId> {
        let text = text.to_ascii_lowercase();
        let parts: Vec<&str> = text.split('-').collect();
        let [workspace, kind, "8000", high, low] = parts[..] else {
            return None;
        };
        let kind = kind.strip_suffix("00")?;
        let high = high.strip_prefix("80")?;
        let sizes = [workspace.len(), kind.len(), high.len(), low.len()] == [8, 2, 2, 12];
        sizes
            .then(|| DialectId::from_hex(&format!("{workspace}{kind}{high}{low}")))
            .flatten()
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
            assert_eq!(DialectId::from_uuid(&one.to_uuid()), Some(one));
            assert_eq!(one.to_uuid().len(), 36);
        }
        for wrong in [
            "",
            "3c90c3cc-0d44-4b50-8888-8dd25736052a",
            "00000001-0300-8000-8000-00000000000g",
            "00000001-0300-8000-8000-0000000000011",
            "0000000103008000800000000000000a",
            "00000001-7f00-8000-8000-000000000001",
        ] {
            assert_eq!(DialectId::from_uuid(wrong), None, "{wrong}");
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
