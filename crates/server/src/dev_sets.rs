//! Who is in the audiences of `throng dev fill`: sets that overlap as those of people do, the same for the same seed.
//!
//! Not a model of anybody's data. Invariant: an audience is a function of seed, number, kind, density and people alone, so
//! that an interrupted fill goes on with the very same ones.

use sets::{Person, Set};

/// How the members of an audience lie among the people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pattern {
    /// Six of eight audiences random, one of runs, one nested in the audience before it
    Mixed,
    /// Anybody, though more in some stretches of people than in others: audiences of one theme share those stretches
    Random,
    /// Stretches of people who came one after the other
    Runs,
    /// Half of the members of the random audience whose number is one less
    Nested,
}

/// All that decides who is in which audience.
#[derive(Debug, Clone)]
pub struct Plan {
    pub people: Person,
    pub seed: u64,
    pub pattern: Pattern,
    /// The share of the people that are members; audiences take them in turn.
    pub densities: Vec<f64>,
}

/// People whose chance of being a member is the same.
const BLOCK: u32 = 4_096;
const WORDS: usize = BLOCK as usize / 64;
/// Audiences of one theme are more alike than others.
const THEMES: u64 = 7;
/// From here on a word is made bit by bit of the density, not by drawing each member.
const DENSE: f64 = 0.06;
/// Lengths of stretches in [`Pattern::Runs`].
const RUN_MIN: u64 = 512;
const RUN_MAX: u64 = 8_192;

impl Plan {
    /// The pattern of one audience, never mixed.
    pub fn pattern_of(&self, index: u64) -> Pattern {
        match (self.pattern, index % 8) {
            (Pattern::Mixed, 5) => Pattern::Runs,
            (Pattern::Mixed, 7) => Pattern::Nested,
            (Pattern::Mixed, _) => Pattern::Random,
            (pattern, _) => pattern,
        }
    }

    /// The share of the people that an audience holds, about.
    pub fn density_of(&self, index: u64) -> f64 {
        match self.pattern_of(index) {
            Pattern::Nested => self.density_in_turn(index.saturating_sub(1)) / 2.0,
            _ => self.density_in_turn(index),
        }
    }

    fn density_in_turn(&self, index: u64) -> f64 {
        self.densities[index as usize % self.densities.len()]
    }

    /// The members of audience `index`, counted from 0. `buffer` is room to work in.
    pub fn members(&self, index: u64, buffer: &mut Vec<Person>) -> Set {
        buffer.clear();
        match self.pattern_of(index) {
            Pattern::Runs => self.runs(index, buffer),
            Pattern::Nested => self.random(index.saturating_sub(1), Some(index), buffer),
            Pattern::Random | Pattern::Mixed => self.random(index, None, buffer),
        }
        Set::from_sorted(buffer)
    }

    /// `thinned`: half of them only, chosen by that number.
    fn random(&self, index: u64, thinned: Option<u64>, out: &mut Vec<Person>) {
        let density = self.density_in_turn(index);
        let theme = (index / 8) % THEMES;
        // As far as the likely stretches can be likelier.
        let spread = if density > 0.0 {
            ((1.0 - density) / density).min(0.75)
        } else {
            0.0
        };
        let mut words = [0u64; WORDS];
        for block in 0..=self.people / BLOCK {
            let liking = mix(self.seed ^ mix(theme << 32 | u64::from(block))) % 3;
            let chance = density * (1.0 + spread * (liking as f64 - 1.0));
            let mut random = Random::new(self.seed, index, block);
            fill_words(&mut words, chance, &mut random);
            if let Some(by) = thinned {
                let mut random = Random::new(!self.seed, by, block);
                words.iter_mut().for_each(|word| *word &= random.next());
            }
            for (at, word) in words.iter().enumerate() {
                let base = block * BLOCK + at as u32 * 64;
                let mut left = *word;
                while left != 0 {
                    let person = base + left.trailing_zeros();
                    left &= left - 1;
                    if person >= 1 && person <= self.people {
                        out.push(person);
                    }
                }
            }
        }
    }

    fn runs(&self, index: u64, out: &mut Vec<Person>) {
        let density = self.density_in_turn(index);
        let mut random = Random::new(self.seed, index, u32::MAX);
        let mut at = 1u64;
        while at <= u64::from(self.people) {
            let end = at + RUN_MIN + random.next() % (RUN_MAX - RUN_MIN);
            if random.share() < density {
                let last = (end - 1).min(u64::from(self.people));
                out.extend(at as Person..=last as Person);
            }
            at = end;
        }
    }
}

/// Sets each bit with the chance given: to a 256th where it is dense, else with the right number of members.
fn fill_words(words: &mut [u64; WORDS], chance: f64, random: &mut Random) {
    if chance >= DENSE {
        let share = (chance * 256.0).round() as u32;
        if share >= 256 {
            words.fill(u64::MAX);
            return;
        }
        for word in words {
            *word = 0;
            // The lowest digit that is set decides first, the highest last.
            for digit in share.trailing_zeros()..8 {
                let bits = random.next();
                *word = if share >> digit & 1 == 1 {
                    *word | bits
                } else {
                    *word & bits
                };
            }
        }
        return;
    }
    words.fill(0);
    // So many draws hit as many distinct people as the chance says.
    let wanted = -(1.0 - chance).ln() * f64::from(BLOCK) + random.share();
    for _ in 0..wanted as u32 {
        let person = random.next() >> 52;
        words[person as usize / 64] |= 1 << (person % 64);
    }
}

/// SplitMix64: fast, and begins anywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64, index: u64, block: u32) -> Random {
        Random(mix(mix(seed ^ mix(index)).wrapping_add(u64::from(block))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pattern: Pattern, densities: &[f64]) -> Plan {
        Plan {
            people: 1_000_000,
            seed: 7,
            pattern,
            densities: densities.to_vec(),
        }
    }

    #[test]
    fn audiences_are_as_dense_as_they_should_be() {
        let densities = [0.9, 0.5, 0.1, 0.05, 0.01, 0.0001, 1.0, 0.0];
        for pattern in [Pattern::Random, Pattern::Runs] {
            let plan = plan(pattern, &densities);
            for (index, density) in densities.iter().enumerate() {
                let set = plan.members(index as u64, &mut Vec::new());
                let share = set.len() as f64 / f64::from(plan.people);
                // Runs are a few hundred coins only.
                let slack = match pattern {
                    Pattern::Runs => 0.1,
                    _ => 0.03 * density + 0.00005,
                };
                assert!(
                    (share - density).abs() <= slack,
                    "{pattern:?} {density}: {share}"
                );
                assert!(set.iter().next().is_none_or(|first| first >= 1));
                assert!(set.last().is_none_or(|last| last <= plan.people));
            }
        }
    }

    #[test]
    fn a_nested_audience_is_half_of_the_one_before_it() {
        let plan = plan(Pattern::Mixed, &[0.2]);
        let (whole, half) = (
            plan.members(6, &mut Vec::new()),
            plan.members(7, &mut Vec::new()),
        );
        assert!(half.is_subset(&whole));
        let share = half.len() as f64 / whole.len() as f64;
        assert!((share - 0.5).abs() < 0.01, "{share}");
    }

    #[test]
    fn audiences_of_one_theme_overlap_more_than_chance() {
        let plan = plan(Pattern::Random, &[0.1]);
        let [first, alike, other] = [0, 1, 8].map(|index| plan.members(index, &mut Vec::new()));
        let chance = first.len() as f64 * 0.1;
        let lift = |set: &Set| first.and_len(set) as f64 / chance;
        assert!(lift(&alike) > 1.25, "{}", lift(&alike));
        assert!((lift(&other) - 1.0).abs() < 0.15, "{}", lift(&other));
    }

    #[test]
    fn a_seed_gives_the_same_audiences_again() {
        let one = plan(Pattern::Mixed, &[0.3, 0.02]);
        let other = Plan {
            seed: 8,
            ..one.clone()
        };
        for index in 0..8 {
            let set = one.members(index, &mut Vec::new());
            assert_eq!(set, one.members(index, &mut vec![1, 2, 3]));
            assert_ne!(set, other.members(index, &mut Vec::new()));
        }
    }
}
