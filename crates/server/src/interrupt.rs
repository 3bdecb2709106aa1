//! Ctrl-C and SIGTERM: for the server a future, for a command that works step by step a flag that also ends its waits.

use std::{
    cell::Cell,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use crate::failure::{Exit, Failure, Result};

/// Answers at the first SIGTERM or SIGINT after its registration.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Registers; needs a runtime.
    pub fn listen() -> Result<Signals> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| {
                signal(kind)
                    .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))
            };
            Ok(Signals {
                terminate: listen(SignalKind::terminate())?,
                interrupt: listen(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Signals {})
    }

    /// The name of the signal that came.
    pub async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            }
        }
        #[cfg(not(unix))]
        {
            drop(tokio::signal::ctrl_c().await);
            "Ctrl-C"
        }
    }
}

/// For a command without a runtime of its own.
#[derive(Debug)]
pub struct Interrupt {
    signals: Receiver<()>,
    came: Cell<bool>,
}

impl Interrupt {
    /// Catches the first signal; the second ends the process at once.
    pub fn catch() -> Result<Interrupt> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::listen()?
        };
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            runtime.block_on(async {
                signals.next().await;
                let _ = sender.send(());
                signals.next().await;
                std::process::exit(Exit::Interrupted as i32);
            });
        });
        Ok(Interrupt {
            signals: receiver,
            came: Cell::new(false),
        })
    }

    /// Waits so long or until the signal; true where it came, now or before.
    pub fn within(&self, time: Duration) -> bool {
        if !self.came.get() && self.signals.recv_timeout(time) != Err(RecvTimeoutError::Timeout) {
            self.came.set(true);
        }
        self.came.get()
    }

    pub fn came(&self) -> bool {
        self.within(Duration::ZERO)
    }
}
