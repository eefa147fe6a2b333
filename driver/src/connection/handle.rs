//! The way from a connection to its engine: its own, or shared with writers.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::Transport;
use crate::engine::Engine;
use crate::engine::shared::{Shared, Task};

pub(super) enum Handle<S: Transport> {
    /// No lock is needed.
    Own(Box<Engine<S>>),
    Shared(Arc<Shared<S>>),
    /// Only while it changes from one to the other.
    Moving,
}

impl<S: Transport> Handle<S> {
    /// Shares the engine from here on.
    pub(super) fn share(&mut self) -> &Arc<Shared<S>> {
        if let Self::Own(_) = self {
            if let Self::Own(mut engine) = mem::replace(self, Self::Moving) {
                // A send whose future was leaked, and so never dropped, is given up now.
                engine.link.give_up_large();
                *self = Self::Shared(Shared::new(*engine));
            }
        }
        match self {
            Self::Shared(shared) => shared,
            Self::Own(_) | Self::Moving => unreachable!("it was shared above"),
        }
    }

    /// Takes the engine back, if no writer has it.
    pub(super) fn unshare(&mut self) {
        if let Self::Shared(_) = self {
            if let Self::Shared(shared) = mem::replace(self, Self::Moving) {
                *self = match Arc::try_unwrap(shared) {
                    Ok(shared) => Self::Own(Box::new(shared.into_engine())),
                    Err(shared) => Self::Shared(shared),
                };
            }
        }
    }

    /// A large send whose future was leaked, and so never dropped, is given up now. Where there are writers it may
    /// be one of theirs that is under way.
    #[inline]
    pub(super) fn give_up_leaked(&mut self) {
        if let Self::Own(engine) = self {
            engine.link.give_up_large();
        }
    }

    /// Does something that does not wait.
    #[inline]
    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Engine<S>) -> T) -> T {
        match self {
            Self::Own(engine) => {
                let done = work(engine);
                drop(engine.take_remains());
                done
            }
            Self::Shared(shared) => work(&mut shared.lock(None).engine),
            Self::Moving => unreachable!("it moves in one step"),
        }
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Engine<S>) -> T) -> T {
        match self {
            Self::Own(engine) => look(engine),
            Self::Shared(shared) => look(&shared.lock(None).engine),
            Self::Moving => unreachable!("it moves in one step"),
        }
    }

    /// Waits for something of the engine.
    // No `async fn`: its future would hold the way to the engine twice.
    pub(super) fn wait<T>(
        &mut self,
        mut poll: impl FnMut(&mut Engine<S>, &mut Context<'_>) -> Poll<T>,
    ) -> impl Future<Output = T> {
        enum Way<'a, S: Transport> {
            Own(&'a mut Engine<S>),
            Shared(Task<'a, S>),
        }
        let mut way = match self {
            Self::Own(engine) => Way::Own(engine),
            Self::Shared(shared) => Way::Shared(Task::new(shared)),
            Self::Moving => unreachable!("it moves in one step"),
        };
        poll_fn(move |cx| match &mut way {
            Way::Own(engine) => {
                let done = ready!(poll(engine, cx));
                drop(engine.take_remains());
                Poll::Ready(done)
            }
            Way::Shared(task) => task.poll(cx, |state, cx| poll(&mut state.engine, cx)),
        })
    }
}
