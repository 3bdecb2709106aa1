//! Synthetic people for the demo: the same for the same seed, in the domains that RFC 2606 keeps for examples.

const FIRST: &[&str] = &[
    "ada", "alan", "amara", "ben", "chen", "clara", "dina", "edsger", "elif", "emil", "fatima",
    "grace", "hana", "ivan", "jin", "joao", "kofi", "lena", "linus", "maria", "mateo", "minji",
    "nadia", "noah", "olga", "omar", "priya", "rosa", "sven", "yuki",
];
const LAST: &[&str] = &[
    "abe", "becker", "costa", "diaz", "eriksen", "fischer", "garcia", "haddad", "ivanova",
    "jansen", "kim", "lovelace", "meyer", "nakamura", "okafor", "park", "quinn", "rossi", "silva",
    "turing", "ueda", "varga", "weber", "xu", "yilmaz", "zhang",
];
const DOMAINS: &[&str] = &["example.com", "example.org", "example.net"];

/// The audiences that the people are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Newsletter,
    Customers,
    Staff,
}

impl List {
    pub const ALL: [List; 3] = [List::Newsletter, List::Customers, List::Staff];

    pub fn name(self) -> &'static str {
        match self {
            List::Newsletter => "Newsletter",
            List::Customers => "Customers",
            List::Staff => "Staff",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            List::Newsletter => "Everybody who subscribed to the newsletter",
            List::Customers => "Everybody who bought something",
            List::Staff => "Our own people",
        }
    }
}

/// One of the demo's people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Somebody {
    pub email: String,
    /// The advertising id of their phone, for one in five.
    pub mobile_ad: Option<String>,
    chance: u64,
}

impl Somebody {
    /// Person number `index` of a seed.
    pub fn new(seed: u64, index: u64) -> Somebody {
        let chance = mix(mix(seed).wrapping_add(index));
        let of =
            |words: &[&'static str], shift: u32| words[(chance >> shift) as usize % words.len()];
        let email = format!(
            "{}.{}.{}@{}",
            of(FIRST, 8),
            of(LAST, 24),
            index + 1,
            of(DOMAINS, 40)
        );
        let mobile_ad = chance
            .is_multiple_of(5)
            .then(|| uuid(mix(chance), mix(!chance)));
        Somebody {
            email,
            mobile_ad,
            chance,
        }
    }

    /// Everybody is in one list at least.
    pub fn is_in(&self, list: List) -> bool {
        let percent = (self.chance >> 48) % 100;
        match list {
            List::Newsletter => percent < 60,
            List::Customers => percent >= 45,
            List::Staff => percent == 50,
        }
    }
}

/// SplitMix64: the same everywhere, good enough to scatter people, no source of secrets.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A UUID of version 4 in form.
fn uuid(high: u64, low: u64) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(3 << 62) | 1 << 63;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    #[test]
    fn people_repeat_with_their_seed_and_are_well_formed() {
        let people = |seed| {
            (0..1_000)
                .map(move |index| Somebody::new(seed, index))
                .collect::<Vec<_>>()
        };
        assert_eq!(people(1), people(1));
        assert_ne!(people(1), people(2));
        for somebody in people(1) {
            assert_eq!(
                Kind::Email.check(&somebody.email),
                Ok(()),
                "{}",
                somebody.email
            );
            assert!(
                somebody
                    .mobile_ad
                    .iter()
                    .all(|id| Kind::MobileAd.check(id).is_ok())
            );
            assert!(List::ALL.into_iter().any(|list| somebody.is_in(list)));
        }
        let sizes = List::ALL.map(|list| people(1).iter().filter(|one| one.is_in(list)).count());
        assert!(
            sizes[0] > 500 && sizes[1] > 450 && sizes[2] > 0,
            "{sizes:?}"
        );
    }
}
