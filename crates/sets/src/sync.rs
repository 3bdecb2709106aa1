//! The locks and the pointer through which threads share the engine.
//!
//! Nothing of its own: built with `--cfg shuttle` they are Shuttle's, which runs the threads of a test in every order that it
//! tries (`scripts/interleavings`). Invariant: what threads share in this crate, they share through these.

#[cfg(not(shuttle))]
pub(crate) use arc_swap::ArcSwap;
#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Mutex, RwLock};

#[cfg(shuttle)]
pub(crate) use model::{ArcSwap, Mutex, RwLock};

#[cfg(shuttle)]
mod model {
    use std::sync::Arc;

    use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    const SOUND: &str = "a test that panics under a lock has failed already";

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect(SOUND)
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().expect(SOUND)
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> RwLock<T> {
            RwLock(shuttle::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect(SOUND)
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect(SOUND)
        }
    }

    /// A pointer that is read and replaced as a whole.
    #[derive(Debug, Default)]
    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn load_full(&self) -> Arc<T> {
            Arc::clone(&self.0.lock())
        }

        pub(crate) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            drop(self.swap(value));
        }

        pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
            std::mem::replace(&mut self.0.lock(), value)
        }
    }
}
