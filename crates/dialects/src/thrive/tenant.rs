//! The name of a tenant: a workspace's number as the vendor's clients take it. A pure bijection; it is no secret.

/// Before the digits, as the vendor has a region there.
const PREFIX: &str = "throng_";
/// Of the number in base 36, lower-case, with zeros before it.
const DIGITS: usize = 9;
const BASE: u32 = 36;

/// The tenant id of a workspace, as in `throng_000000001`.
pub fn tenant_id(workspace: i64) -> String {
    let mut rest = workspace.unsigned_abs();
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        // Below 36.
        let value = (rest % u64::from(BASE)) as u32;
        *digit = char::from_digit(value, BASE).map_or(b'0', |char| char as u8);
        rest /= u64::from(BASE);
    }
    format!("{PREFIX}{}", String::from_utf8_lossy(&digits))
}

/// Nothing where the text is not what [`tenant_id`] writes.
pub(super) fn workspace_of(tenant: &str) -> Option<i64> {
    let digits = tenant.strip_prefix(PREFIX)?;
    let known = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    (digits.len() == DIGITS && digits.bytes().all(known))
        .then(|| i64::from_str_radix(digits, BASE).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_workspace() {
        assert_eq!(tenant_id(1), "throng_000000001");
        assert_eq!(tenant_id(36 * 36 + 35), "throng_00000010z");
        for workspace in [1, 2, 35, 36, u32::MAX.into()] {
            assert_eq!(workspace_of(&tenant_id(workspace)), Some(workspace));
        }
        for wrong in [
            "",
            "throng_",
            "000000001",
            "throng_1",
            "throng_00000000Z",
            "throng_0000000001",
            "throng_+00000001",
            "throng_00000000é",
            "Throng_000000001",
        ] {
            assert_eq!(workspace_of(wrong), None, "{wrong}");
        }
    }
}
