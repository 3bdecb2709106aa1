//! Questions about sets, answered in turns: threads of their own take one step of each in the order in which they wait.
//!
//! So a short question passes a long one, the workers of the listener and the readers of the database never wait for either,
//! and a question whose asker has gone is dropped at its next turn. Invariant: what waits is bounded.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::try_join_all;
use parking_lot::{Condvar, Mutex};
use sets::{Divide, Question, STEP, Unreadable};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    error::{Error, Field, Result},
    limits,
    service::Domain,
};

/// After how long somebody should ask again who found too many waiting.
const RETRY_MS: u64 = 1_000;

/// A question that waits for its next step.
trait Turn: Send {
    /// Takes a step; answers whether there is another one to take.
    fn step(&mut self) -> bool;
}

struct Asked<Q: Question> {
    question: Q,
    reply: Option<oneshot::Sender<std::result::Result<Q::Answer, Unreadable>>>,
}

impl<Q: Question> Turn for Asked<Q> {
    fn step(&mut self) -> bool {
        if self.reply.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return false;
        }
        let answer = match self.question.advance(STEP) {
            Ok(None) => return true,
            Ok(Some(answer)) => Ok(answer),
            Err(error) => Err(error),
        };
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have gone just now.
            reply.send(answer).ok();
        }
        false
    }
}

#[derive(Default)]
struct Waiting {
    turns: VecDeque<Box<dyn Turn>>,
    /// Those that wait and those that have their turn.
    count: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

/// The threads, started at the first question.
#[derive(Default)]
pub(crate) struct Evaluator {
    started: OnceLock<Arc<Shared>>,
}

impl std::fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evaluator")
    }
}

impl Drop for Evaluator {
    fn drop(&mut self) {
        if let Some(shared) = self.started.get() {
            let mut waiting = shared.waiting.lock();
            waiting.closed = true;
            waiting.turns.clear();
            shared.more.notify_all();
        }
    }
}

impl Evaluator {
    /// Answers a question, unless too many wait or it takes longer than it may.
    pub(crate) async fn ask<Q>(&self, question: Q, time_max: Duration) -> Result<Q::Answer>
    where
        Q: Question + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let shared = self.started.get_or_init(start);
        {
            let mut waiting = shared.waiting.lock();
            if waiting.count >= limits::QUESTIONS_WAITING_MAX {
                return Err(Error::RateLimited {
                    retry_after_ms: RETRY_MS,
                });
            }
            waiting.count += 1;
            waiting.turns.push_back(Box::new(Asked {
                question,
                reply: Some(reply),
            }));
        }
        shared.more.notify_one();
        match timeout(time_max, answer).await {
            Ok(Ok(answer)) => answer.map_err(unreadable),
            Ok(Err(_)) => Err(Error::internal("a question was dropped")),
            Err(_) => Err(too_slow(time_max)),
        }
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn start() -> Arc<Shared> {
    let shared = Arc::<Shared>::default();
    for _ in 0..threads() {
        let shared = Arc::clone(&shared);
        let started = std::thread::Builder::new()
            .name("throng-question".into())
            .spawn(move || run(&shared));
        if let Err(error) = started {
            tracing::error!(%error, "a thread that answers questions did not start");
        }
    }
    shared
}

fn run(shared: &Shared) {
    loop {
        let mut turn = {
            let mut waiting = shared.waiting.lock();
            loop {
                if waiting.closed {
                    return;
                }
                match waiting.turns.pop_front() {
                    Some(turn) => break turn,
                    None => shared.more.wait(&mut waiting),
                }
            }
        };
        // A defect in one question must not cost the thread that answers the others.
        let goes_on = catch_unwind(AssertUnwindSafe(|| turn.step())).unwrap_or(false);
        let mut waiting = shared.waiting.lock();
        if goes_on {
            waiting.turns.push_back(turn);
        } else {
            waiting.count -= 1;
        }
    }
}

/// What a set that cannot be read means to whoever asked.
pub(crate) fn unreadable(error: Unreadable) -> Error {
    store::Error::from(error).into()
}

fn too_slow(time_max: Duration) -> Error {
    Error::TooLarge(Field {
        name: "body",
        code: "too_slow",
        text: format!(
            "The answer was not found within {} seconds: ask about fewer or smaller audiences.",
            time_max.as_secs()
        ),
    })
}

impl Domain {
    /// Answers a question about sets, in turns with others.
    pub(crate) async fn ask<Q>(&self, question: Q) -> Result<Q::Answer>
    where
        Q: Question + 'static,
    {
        let time_max = Duration::from_millis(limits::QUESTION_MS_MAX);
        self.evaluator().ask(question, time_max).await
    }

    /// Answers a question that may be long, in parts on all threads; each part waits and takes its turns like a question.
    pub(crate) async fn ask_divided<Q>(&self, question: Q) -> Result<Q::Answer>
    where
        Q: Divide + 'static,
    {
        let parts = question.divide(threads()).into_iter();
        let answers = try_join_all(parts.map(|part| self.ask(part))).await?;
        Ok(Q::join(answers))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Takes so many steps and notes each.
    struct Steps(usize, Arc<AtomicUsize>);

    impl Question for Steps {
        type Answer = usize;

        fn advance(&mut self, _budget: usize) -> std::result::Result<Option<usize>, Unreadable> {
            let taken = self.1.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(taken <= self.0 || self.0 == 0, "goes on after its end");
            Ok((taken == self.0).then_some(taken))
        }
    }

    struct Broken;

    impl Question for Broken {
        type Answer = ();

        fn advance(&mut self, _budget: usize) -> std::result::Result<Option<()>, Unreadable> {
            panic!("on purpose")
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_short_question_passes_endless_ones_and_a_broken_one_harms_nobody() {
        let evaluator = Evaluator::default();
        let endless = Arc::new(AtomicUsize::new(0));
        let asked: Vec<_> = (0..8)
            .map(|_| evaluator.ask(Steps(0, Arc::clone(&endless)), LONG))
            .collect();
        let mut asked = futures_util::future::join_all(asked);
        let short = async {
            for _ in 0..64 {
                assert!(evaluator.ask(Broken, LONG).await.is_err());
            }
            evaluator.ask(Steps(100, Arc::default()), LONG).await
        };
        tokio::select! {
            biased;
            _ = &mut asked => panic!("they have no end"),
            answer = short => assert_eq!(answer, Ok(100)),
        }
        drop(asked);
        at_rest(&evaluator).await;
    }

    /// Whoever asked has gone: the threads find it out at the next turn.
    async fn at_rest(evaluator: &Evaluator) {
        let shared = evaluator.started.get().expect("is started");
        while shared.waiting.lock().count > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_waits_and_how_long_is_bounded() {
        let evaluator = Evaluator::default();
        let steps = Arc::new(AtomicUsize::new(0));
        let endless = || evaluator.ask(Steps(0, Arc::clone(&steps)), LONG);
        let mut asked: Vec<_> = (0..limits::QUESTIONS_WAITING_MAX)
            .map(|_| Box::pin(endless()))
            .collect();
        for one in &mut asked {
            tokio::select! {
                biased;
                _ = one => panic!("it has no end"),
                () = std::future::ready(()) => {}
            }
        }
        assert!(matches!(endless().await, Err(Error::RateLimited { .. })));
        drop(asked);
        at_rest(&evaluator).await;
        let slow = evaluator
            .ask(Steps(0, steps), Duration::from_millis(1))
            .await;
        assert!(
            matches!(&slow, Err(Error::TooLarge(field)) if field.code == "too_slow"),
            "{slow:?}"
        );
    }
}
