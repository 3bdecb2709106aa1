//! Addresses: which belong to the public Internet, which the operator has named, and whose a request is.
//!
//! What it is not: a resolver or a client; [`crate::outbound`] asks here about each address before it connects to it.
//! Invariant: an address that no rule knows to be public is not.

use std::{
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Blocks that are not on the public Internet, or that lead back into a private network: the IANA registries of
/// special-purpose addresses (RFC 6890 as amended), multicast, and what clouds answer metadata at.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10", // carrier-grade NAT (RFC 6598), and one cloud's metadata
    "127.0.0.0/8",
    "168.63.129.16/32", // a cloud's host agent, on a public-looking address
    "169.254.0.0/16",   // link-local, and most clouds' metadata
    "172.16.0.0/12",
    "192.0.0.0/24", // protocol assignments, and one cloud's metadata
    "192.0.2.0/24",
    "192.88.99.0/24", // 6to4 relays
    "192.168.0.0/16",
    "198.18.0.0/15", // benchmarks
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4", // multicast
    "240.0.0.0/4", // reserved, broadcast
    // Of IPv6 only 2000::/3 is given out for the public; these parts of it are not, or carry an IPv4 address within.
    "2001::/23",     // protocol assignments: Teredo, benchmarks, ORCHID
    "2001:db8::/32", // documentation
    "2002::/16",     // 6to4
    "3fff::/20",     // documentation
];
const PUBLIC_V6: &str = "2000::/3";

static BLOCKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| blocks(NOT_PUBLIC));
static GIVEN_OUT_V6: LazyLock<Vec<IpNet>> = LazyLock::new(|| blocks(&[PUBLIC_V6]));

fn blocks(texts: &[&str]) -> Vec<IpNet> {
    let parsed = texts.iter().map(|text| text.parse());
    // A table of our own; a test reads every line of it.
    parsed.filter_map(Result::ok).collect()
}

/// Whether an address is on the public Internet. IPv4 within IPv6 (mapped, NAT64, 6to4, Teredo) is not, whatever it
/// carries: such an address would get around the rules for what it carries.
pub fn is_public(address: IpAddr) -> bool {
    let given_out = address.is_ipv4() || GIVEN_OUT_V6.iter().any(|block| block.contains(&address));
    given_out && !BLOCKS.iter().any(|block| block.contains(&address))
}

/// Blocks of addresses that the operator has named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Comma-separated CIDRs; an address alone is a block of one.
    pub fn parse(text: &str) -> Result<Networks, String> {
        let blocks = words(text).map(|word| {
            block(word).ok_or_else(|| {
                format!("{word:?} is neither an address nor a block such as 10.1.0.0/16")
            })
        });
        Ok(Networks(blocks.collect::<Result<_, _>>()?))
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(&address))
    }
}

/// Addresses and host names that outbound requests may reach although they are private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    networks: Networks,
    /// In lower case, without a trailing dot.
    hosts: Vec<String>,
}

impl Allowed {
    /// Comma-separated CIDRs, addresses or host names.
    pub fn parse(text: &str) -> Result<Allowed, String> {
        let mut allowed = Allowed::default();
        for word in words(text) {
            if let Some(block) = block(word) {
                allowed.networks.0.push(block);
                continue;
            }
            let host = folded(word);
            let character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            // What ends in a number is a mistaken address: no top-level domain does.
            let last = host.rsplit('.').next().unwrap_or_default();
            if !host.chars().all(character) || last.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!(
                    "{word:?} is neither an address, nor a block such as 10.1.0.0/16, nor a host name"
                ));
            }
            allowed.hosts.push(host);
        }
        Ok(allowed)
    }

    /// This machine only, as the demo has it.
    pub fn loopback() -> Allowed {
        Allowed {
            networks: Networks(blocks(&["127.0.0.0/8", "::1/128"])),
            hosts: vec!["localhost".into()],
        }
    }

    pub fn has_host(&self, host: &str) -> bool {
        self.hosts.contains(&folded(host))
    }

    pub fn has_address(&self, address: IpAddr) -> bool {
        self.networks.contains(address)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn block(word: &str) -> Option<IpNet> {
    word.parse()
        .ok()
        .or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

fn folded(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Whose a request is: the peer's address, or, behind proxies that the operator trusts, the right-most address of
/// X-Forwarded-For that is none of theirs. What stands further left is only what a client says of itself.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut found = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    // By bytes: what a client wrote in front of a proxy's address must not spoil it.
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !trusted.contains(found) {
            break;
        }
        // A proxy that does not say whose it is: the proxy itself is the nearest that is known.
        let hop = std::str::from_utf8(hop).unwrap_or_default();
        let Some(address) = hop_address(hop.trim()) else {
            break;
        };
        found = address;
    }
    found
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn every_line_of_the_tables_is_a_block() {
        assert_eq!(BLOCKS.len(), NOT_PUBLIC.len());
        assert_eq!(GIVEN_OUT_V6.len(), 1);
    }

    #[test]
    fn what_the_operator_names_is_read_or_refused() {
        let networks = Networks::parse(" 10.0.0.0/8, 192.0.2.7 ,::1,").expect("is right");
        let has = |text: &str| networks.contains(text.parse().expect("an address"));
        assert!(has("10.255.0.1") && has("192.0.2.7") && has("::1"));
        assert!(!has("11.0.0.1") && !has("192.0.2.8") && !has("::2"));
        assert!(Networks::parse("proxy.test").is_err() && Networks::parse("10.0.0.0/33").is_err());

        let allowed = Allowed::parse("IdP.Intra.test., 10.1.0.0/16").expect("is right");
        assert!(allowed.has_host("idp.intra.test") && allowed.has_host("IDP.intra.test."));
        assert!(!allowed.has_host("intra.test") && !allowed.has_host("x.idp.intra.test"));
        assert!(allowed.has_address("10.1.2.3".parse().expect("an address")));
        for wrong in ["10.0.0.0/99", "http://x", "a b", "10.0.0.1:80", "10.1"] {
            assert!(Allowed::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_no_proxy() {
        let trusted = Networks::parse("10.0.0.0/8, fd00::/8").expect("is right");
        let client = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let line = HeaderValue::from_bytes(line.as_bytes());
                headers.append(FORWARDED_FOR, line.expect("a header"));
            }
            client_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
        };
        for (peer, lines, expected) in [
            // Nobody vouches for the header.
            ("198.51.100.1", &["192.0.2.1"][..], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            // A client's own words stand left of what the proxy saw.
            ("10.0.0.1", &["127.0.0.1, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (
                "10.0.0.1",
                &["192.0.2.9", "192.0.2.1,10.0.0.2"],
                "192.0.2.1",
            ),
            // What is not ASCII spoils itself and nothing else.
            ("10.0.0.1", &["\u{e9}\u{ff}, 192.0.2.1"], "192.0.2.1"),
            // All of them are proxies: the first of them is the client.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // A proxy that does not know, or writes nonsense.
            ("10.0.0.1", &["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("fd00::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("fd00::1", &["[2001:db8::1]"], "2001:db8::1"),
            // A socket of both families writes IPv4 peers so.
            ("::ffff:10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
        ] {
            assert_eq!(client(peer, lines), expected, "{peer} {lines:?}");
        }
    }
}
