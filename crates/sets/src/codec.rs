//! What the codecs of this crate share: the error, a bounds-checked reader, and variable-length numbers.
//!
//! Not a format of its own. Invariant: the reader never reads outside its input and never allocates.

/// Why bytes are not a valid encoding. Nothing of the bytes themselves is kept, since they may describe people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ends in the middle of a field.
    #[error("the input ends early: {needed} more bytes are needed and {left} are left")]
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes that the input still has.
        left: usize,
    },
    /// The first bytes name no format that this version reads.
    #[error("the format marker {0:#x} is unknown")]
    UnknownFormat(u32),
    /// A length is over the limit of the format or of the caller.
    #[error("a length of {length} is over the limit of {limit}")]
    TooLong {
        /// The length that the input states.
        length: u64,
        /// The largest that is accepted.
        limit: u64,
    },
    /// A field contradicts the format; the text says which rule it breaks.
    #[error("the input is invalid: {0}")]
    Invalid(&'static str),
    /// The input goes on after its end.
    #[error("{0} bytes follow the end")]
    TrailingBytes(usize),
}

/// A cursor over bytes that refuses to read past their end.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let left = self.left();
        if count > left {
            return Err(CodecError::Truncated {
                needed: count,
                left,
            });
        }
        let taken = &self.bytes[self.position..self.position + count];
        self.position += count;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CodecError> {
        let taken = self.take(2)?;
        Ok(u16::from_le_bytes([taken[0], taken[1]]))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CodecError> {
        let taken = self.take(4)?;
        Ok(u32::from_le_bytes([taken[0], taken[1], taken[2], taken[3]]))
    }

    /// A LEB128 number; one that does not fit 64 bits, or that has needless zero bytes at its end, is refused.
    pub(crate) fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0u64;
        let mut shift = 0u32;
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                return Err(CodecError::Invalid("a number does not fit 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(CodecError::Invalid("a number is longer than it need be"));
                }
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// Succeeds at the end of the input only.
    pub(crate) fn finish(&self) -> Result<(), CodecError> {
        match self.left() {
            0 => Ok(()),
            left => Err(CodecError::TrailingBytes(left)),
        }
    }
}

/// Appends `value` as LEB128: seven bits a byte, least significant first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Maps small numbers of either sign to small unsigned ones.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_round_trip() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
            assert_eq!(unzigzag(zigzag(value as i64)), value as i64);
        }
    }

    #[test]
    fn malformed_numbers_are_refused() {
        assert!(matches!(
            Reader::new(&[0x80]).varint(),
            Err(CodecError::Truncated { .. })
        ));
        assert!(matches!(
            Reader::new(&[0x80, 0]).varint(),
            Err(CodecError::Invalid(_))
        ));
        assert!(matches!(
            Reader::new(&[0xff; 11]).varint(),
            Err(CodecError::Invalid(_))
        ));
    }
}
