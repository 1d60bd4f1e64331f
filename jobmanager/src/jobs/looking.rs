//! People look at the rows of a datastream.

use tokio::sync::{mpsc, oneshot};

use super::Error;
use super::asking::{Jobs, Known};
use crate::job::{Ask, Event};
use crate::tap::{Piece, Request};

/// One who looks. Dropped, the tap is taken off.
#[derive(Debug)]
pub struct Looker {
    tap: u64,
    pieces: mpsc::Receiver<Piece>,
    events: mpsc::Sender<Event>,
}

impl Looker {
    /// What there is to see next; none once it is over.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        // A job that has no room for this notices within a second that nobody listens.
        let _ = self.events.try_send(Event::Asked(Ask::Untap(self.tap)));
    }
}

impl Jobs {
    /// Rows behind a step of a datastream, as they go by.
    ///
    /// # Errors
    /// When there is none of that name, it is over, it has no such step, the condition is wrong, or too many look already.
    pub async fn tap(&self, name: &str, request: Request) -> Result<Looker, Error> {
        let Known::Task(handle) = self.known(name)? else {
            return Err(self.over(name));
        };
        if handle.summary.borrow().state.is_over() {
            return Err(self.over(name));
        }
        let (reply, answer) = oneshot::channel();
        self.ask(&handle, Ask::Tap(request, reply)).await?;
        let (tap, pieces) = self.answer(name, answer).await?.map_err(|refusal| match refusal {
            Some(refusal) => Error::Tap(refusal),
            None => Error::Taps { name: name.to_owned() },
        })?;
        Ok(Looker {
            tap,
            pieces,
            events: handle.events,
        })
    }
}
