//! Questions about several sets, advanced by any budgets, against the same asked of Roaring's bitmaps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roaring::RoaringBitmap;
use sets::{Count, Expression, Gather, Operand, Overlaps, Question, Regions, Term};
use throng_fuzz::{Bytes, assert_same};

const DEPTH_MAX: usize = 5;

fn term(bytes: &mut Bytes<'_>, operands: usize, depth: usize) -> Term {
    let kind = bytes.byte();
    if depth == DEPTH_MAX || bytes.is_empty() || kind % 4 == 0 {
        return Term::Operand(usize::from(kind >> 2) % operands);
    }
    let parts = |bytes: &mut Bytes<'_>| {
        let count = usize::from(kind >> 2) % 5;
        (0..count)
            .map(|_| term(bytes, operands, depth + 1))
            .collect()
    };
    match kind % 4 {
        1 => Term::All(parts(bytes)),
        2 => Term::Any(parts(bytes)),
        _ => Term::Not(Box::new(term(bytes, operands, depth + 1))),
    }
}

fn expected(term: &Term, models: &[RoaringBitmap], everybody: &RoaringBitmap) -> RoaringBitmap {
    match term {
        Term::Operand(place) => models[*place].clone(),
        Term::All(terms) => terms.iter().fold(everybody.clone(), |all, term| {
            all & expected(term, models, everybody)
        }),
        Term::Any(terms) => terms.iter().fold(RoaringBitmap::new(), |any, term| {
            any | expected(term, models, everybody)
        }),
        Term::Not(term) => everybody - expected(term, models, everybody),
    }
}

fn answer<Q: Question>(mut question: Q, budget: usize) -> Q::Answer {
    loop {
        if let Some(answer) = question.advance(budget).expect("is in memory") {
            return answer;
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let count = usize::from(bytes.byte() % 6) + 1;
    let budget = usize::from(bytes.short()).max(1);
    let next_person = match bytes.byte() % 4 {
        0 => 1,
        1 => 1 << 17,
        2 => 1 << 24 | u32::from(bytes.short()),
        _ => u32::from(bytes.short()) << 2 | 1,
    };
    let mut everybody = RoaringBitmap::new();
    everybody.insert_range(1..next_person);
    // Sets hold people who exist, and nobody else.
    let people = sets::Set::range(1, next_person - 1);
    let (mut operands, mut models) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (set, model) = bytes.set();
        operands.push(Operand::from(set.and(&people)));
        models.push(model & &everybody);
    }
    let term = term(&mut bytes, count, 0);
    let holds = expected(&term, &models, &everybody);
    let expression = Expression::new(term).expect("is small");
    assert_eq!(
        answer(
            Count::new(expression.clone(), operands.clone(), next_person),
            budget
        ),
        holds.len()
    );
    assert_same(
        &answer(
            Gather::new(expression, operands.clone(), next_person),
            budget,
        ),
        &holds,
    );

    let overlap = |a: &RoaringBitmap| {
        models
            .iter()
            .map(|b| a.intersection_len(b))
            .collect::<Vec<u64>>()
    };
    let matrix: Vec<Vec<u64>> = models.iter().map(overlap).collect();
    assert_eq!(answer(Overlaps::among(operands.clone()), budget), matrix);
    let (one, against) = (operands[..1].to_vec(), operands.clone());
    assert_eq!(answer(Overlaps::between(one, against), budget), matrix[..1]);

    let mut regions = vec![0; 1 << count];
    for (mask, region) in regions.iter_mut().enumerate().skip(1) {
        let held = |place: usize| mask >> place & 1 == 1;
        let within = (0..count)
            .filter(|place| held(*place))
            .fold(everybody.clone(), |all, place| all & &models[place]);
        let outside = (0..count)
            .filter(|place| !held(*place))
            .fold(within, |rest, place| rest - &models[place]);
        *region = outside.len();
    }
    assert_eq!(answer(Regions::new(operands), budget), regions);
});
